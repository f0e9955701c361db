"""What the files of side studies hold. Reading them takes neither a network nor the library behind it."""

from pydantic import NonNegativeInt

from transpose.config.base import Settings, Size
from transpose.config.resolution import PositionWay
from transpose.config.study import Protocol
from transpose.evaluation.report import EvaluationReport, Subject


class ProtocolResult(Settings):
    """One combination and its figures."""

    protocol: Protocol
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
