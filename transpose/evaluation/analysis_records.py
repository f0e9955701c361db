"""Contents of the analysis files. Reading them needs no PyTorch."""

from pydantic import NonNegativeInt

from transpose.config.analyses import PositionWay
from transpose.config.base import Settings, Size
from transpose.config.bootstrap import Bootstrap
from transpose.config.runtime import RuntimeUsed
from transpose.config.study import EvalProtocol
from transpose.config.training import Dtype
from transpose.evaluation.intervals import Estimate
from transpose.evaluation.report import EvaluationReport
from transpose.evaluation.subject import Subject


class ProtocolResult(Settings):
    """One protocol and its metrics."""

    protocol: EvalProtocol
    official: bool
    """All four choices are the official ones: flip test, DARK, suppression, box times keypoint score."""
    predictions: NonNegativeInt
    """Predicted persons after suppression."""
    metrics: dict[str, float]
    """COCO metrics as fractions, -1 where undefined."""


class ProtocolAblationReport(Subject):
    """The content of a protocol ablation file."""

    runtime: RuntimeUsed
    """Library that ran the network."""
    images: NonNegativeInt
    persons: NonNegativeInt
    results: tuple[ProtocolResult, ...]
    """Results, with the official protocol first."""


class ResolutionReport(EvaluationReport):
    """Metrics at an input size other than the training size, and how the position embedding was adapted."""

    input_size: Size
    position: PositionWay


class DtypeResult(Settings):
    """Predictions in one dtype compared with fp32, with the same weights and crops."""

    dtype: Dtype
    predictions: NonNegativeInt
    """Predicted persons after suppression."""
    metrics: dict[str, float]
    """COCO metrics as fractions, -1 where undefined."""
    difference: Estimate
    """AP minus AP in fp32, as a fraction; the count is the number of annotated persons."""
    same_peak: float
    """Share of heatmaps (one per box and keypoint) with the maximum at the same pixel as in fp32."""
    median_shift: float
    """Median distance of keypoints from the fp32 prediction, in image pixels."""
    far_shift: float
    """99th percentile of these distances, in image pixels."""


class DtypeReport(Subject):
    """The content of a dtype file."""

    protocol: EvalProtocol
    bootstrap: Bootstrap
    machine: dict[str, str]
    """The machine, see `describe_machine`; rounding depends on the device."""
    images: NonNegativeInt
    persons: NonNegativeInt
    fp32: dict[str, float]
    """COCO metrics in fp32."""
    results: tuple[DtypeResult, ...]
