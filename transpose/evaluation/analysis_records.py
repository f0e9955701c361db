"""What the files of analyses hold. Reading them takes neither a network nor the library behind it."""

from pydantic import NonNegativeInt

from transpose.config.base import Settings, Size
from transpose.config.bootstrap import Bootstrap
from transpose.config.resolution import PositionWay
from transpose.config.study import EvalProtocol
from transpose.config.training import Dtype
from transpose.evaluation.report import EvaluationReport
from transpose.evaluation.subject import Subject


class ProtocolResult(Settings):
    """One combination and its figures."""

    protocol: EvalProtocol
    official: bool
    """All four choices are the official ones: flip test, DARK, suppression, box times keypoint score."""
    predictions: NonNegativeInt
    """Persons that were left of the boxes."""
    metrics: dict[str, float]
    """The COCO evaluation's figures as fractions, -1 where it has no answer."""


class ProtocolAblationReport(Subject):
    """The content of a protocol ablation's file."""

    images: NonNegativeInt
    persons: NonNegativeInt
    results: tuple[ProtocolResult, ...]
    """The official combination first."""


class ResolutionReport(EvaluationReport):
    """Figures at an input size other than the one trained at, and what became of the position embedding."""

    input_size: Size
    position: PositionWay


class DtypeResult(Settings):
    """Predictions in one arithmetic beside those in fp32, by the same weights on the same crops."""

    dtype: Dtype
    predictions: NonNegativeInt
    """Persons that were left of the boxes."""
    metrics: dict[str, float]
    """The COCO evaluation's figures as fractions, -1 where it has no answer."""
    difference: float
    """AP minus that of fp32, as a fraction."""
    interval: tuple[float, float]
    """Paired bootstrap interval of the difference over images: low, high."""
    same_peak: float
    """Share of heatmaps, one for each box and keypoint, whose maximum is at the same pixel."""
    median_shift: float
    """Median distance of a box's keypoints from where fp32 has them, in pixels of the image."""
    far_shift: float
    """The distance that 99 % of the keypoints stay within."""


class DtypeReport(Subject):
    """The content of a dtype file."""

    protocol: EvalProtocol
    bootstrap: Bootstrap
    machine: dict[str, str]
    """What the networks ran on, see `describe_machine`; rounding is the device's."""
    images: NonNegativeInt
    persons: NonNegativeInt
    fp32: dict[str, float]
    """The COCO evaluation's figures in fp32."""
    results: tuple[DtypeResult, ...]
