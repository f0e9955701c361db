"""Contents of the attention analysis files. Reading them needs no PyTorch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import NonNegativeInt

from transpose.attention.estimates import HIDDEN, SEEN
from transpose.config.attention import AttentionMeasures
from transpose.config.base import Settings
from transpose.config.bootstrap import Bootstrap
from transpose.config.study import EvalProtocol
from transpose.evaluation.intervals import Estimate
from transpose.evaluation.subject import Subject

Visibility = Literal["occluded", "visible"]
"""Visibility of a labelled keypoint."""

DIRECTIONS = ("deletion", "insertion")
"""Whether cells are removed from or added to the input."""

ChangeKind = Literal[
    "intact",
    "head_off",
    "all_heads_off",
    "layer_off",
    "uniform_attention",
    "identity_attention",
    "mean_attention",
    "no_position",
    "mirrored_position",
    "shuffled_position",
    "sine_in_place",
    "sine_added",
]
"""A test-time change of a trained model, see `transpose.attention.ablation`."""

Division = Literal["body_parts", "keypoint_neighbourhoods"]
"""How the image is divided: by part labels of every pixel, or by cells around labelled keypoints."""

KeypointState = Literal["hidden", "seen"]
STATES: Mapping[KeypointState, int] = {"hidden": HIDDEN, "seen": SEEN}


class Statistic(Settings):
    """Mean of one measure; see `MEASURES`."""

    layer: int
    """From 1."""
    head: int | None
    """From 1; None is the mean over heads."""
    visibility: Visibility
    measure: str
    mean: Estimate


Contrast = Literal["occluded_minus_visible", "last_minus_first_layer"]
"""The first compares keypoints in the last layer, the second compares layers over all labelled keypoints."""


class Difference(Settings):
    """Difference of two means over the same images, of attention averaged over heads."""

    what: Contrast
    measure: str
    mean: Estimate
    """Counts refer to the first side of the difference."""
    subtracted: NonNegativeInt
    """Number of values of the subtracted side."""


class StatisticsReport(Subject):
    """The content of a statistics file."""

    reach: float
    bootstrap: Bootstrap
    persons: NonNegativeInt
    images: NonNegativeInt
    persons_without_mask: NonNegativeInt
    """Persons without body measures, because they have no mask."""
    occluded_keypoints: NonNegativeInt
    visible_keypoints: NonNegativeInt
    statistics: tuple[Statistic, ...]
    differences: tuple[Difference, ...]


class Knockout(Settings):
    """Effect of masking the most important cells of a ranking."""

    depth: str
    ranking: str
    measure: str
    mean: Estimate
    margin: Estimate | None
    """Mean over keypoints of attention's value minus this ranking's; None for attention itself."""


class Curve(Settings):
    """Keypoint similarity while cells are deleted or inserted in the last layer, the most important first."""

    direction: str
    ranking: str
    similarities: tuple[Estimate, ...]
    """Similarity at each of the report's `shares`."""
    area: Estimate
    """Area under the curve; a faithful ranking has a small area for deletion and a large one for insertion."""
    margin: Estimate | None
    """Mean over keypoints of attention's area minus this one; None for attention itself."""


class OcclusionCorrelation(Settings):
    """Rank correlation per keypoint of a ranking with the loss of the peak when image patches are masked."""

    ranking: str
    correlation: Estimate
    margin: Estimate | None
    """See `Knockout.margin`."""


class Agreement(Settings):
    """Rank correlation over pairs of keypoints of a matrix with the effect of masking one keypoint on another."""

    depth: str
    explained_by: str
    """`attention`, or `distance`: the distance baseline."""
    effect: str
    correlation: Estimate


class Randomised(Settings):
    """Rank correlation of dependency areas with those after randomising the last `layers` encoder layers."""

    layers: int
    correlation: Estimate


class FaithfulnessReport(Subject):
    """The content of a faithfulness file."""

    settings: AttentionMeasures
    protocol: EvalProtocol
    bootstrap: Bootstrap
    persons: NonNegativeInt
    """Evaluated persons."""
    keypoints: NonNegativeInt
    """Evaluated keypoints: labelled, and predicted well by the unflipped pass."""
    shares: tuple[float, ...]
    knockouts: tuple[Knockout, ...]
    curves: tuple[Curve, ...]
    occlusion_correlations: tuple[OcclusionCorrelation, ...]
    agreements: tuple[Agreement, ...]
    randomised: tuple[Randomised, ...]


@dataclass(frozen=True)
class Change:
    """One test-time change of a model."""

    kind: ChangeKind
    layer: int | None = None
    """Index from 0; None if all layers change, or none."""
    head: int | None = None


class AblationResult(Settings):
    """A change and its metrics."""

    change: Change
    predictions: NonNegativeInt
    """Predicted persons after suppression."""
    metrics: dict[str, float]
    """COCO metrics as fractions, -1 where undefined."""
    difference: Estimate | None
    """AP minus AP of the intact model; the count is the number of annotated persons. None for the intact model."""


class AttentionAblationReport(Subject):
    """The content of an attention ablation file."""

    protocol: EvalProtocol
    bootstrap: Bootstrap
    seed_of_shuffling: NonNegativeInt
    images: NonNegativeInt
    persons: NonNegativeInt
    layers: NonNegativeInt
    heads: NonNegativeInt
    """Heads per layer."""
    results: tuple[AblationResult, ...]
    """Results, with the intact model first."""


class KeypointCount(Settings):
    """Numbers of labelled keypoints and of evaluated ones."""

    keypoints: KeypointState
    labelled: NonNegativeInt
    found_well: NonNegativeInt


class PartRow(Settings):
    """Mean of one measure of one group, over occluded or over visible keypoints."""

    group: str
    keypoints: KeypointState
    measure: str
    mean: Estimate
    persons: NonNegativeInt
    """Persons with at least one such keypoint."""


class PartDifference(Settings):
    """One measure of one group: occluded keypoints minus visible ones of the same kind."""

    group: str
    measure: str
    hidden_minus_seen: Estimate


class BodyPartReport(Subject):
    """The content of a body part file."""

    settings: AttentionMeasures
    protocol: EvalProtocol
    bootstrap: Bootstrap
    divided_by: Division
    persons: NonNegativeInt
    keypoints: tuple[KeypointCount, ...]
    rows: tuple[PartRow, ...]
    differences: tuple[PartDifference, ...]
