"""What the files of measured attention hold. Reading them takes neither a network nor the library behind it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import NonNegativeInt

from transpose.attention.estimates import Estimate
from transpose.attention.occluded_keypoints import HIDDEN, SEEN
from transpose.config.attention import AttentionMeasures
from transpose.config.base import Settings
from transpose.config.study import EvalProtocol
from transpose.evaluation.report import Bootstrap, Subject

Visibility = Literal["occluded", "visible"]
"""Of a labelled keypoint."""

DIRECTIONS = ("deletion", "insertion")
"""Whether cells are masked or put back."""

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
"""What is done to a trained model, see `transpose.attention.ablation`."""

Division = Literal["body_parts", "keypoint_neighbourhoods"]
"""What the image is divided by: parts known in every pixel, or cells around labelled keypoints."""

KeypointState = Literal["hidden", "seen"]
STATES: Mapping[KeypointState, int] = {"hidden": HIDDEN, "seen": SEEN}


class Statistic(Settings):
    """One measure, see `MEASURES`."""

    layer: int
    """From 1."""
    head: int | None
    """From 1; None is the mean over heads."""
    visibility: Visibility
    measure: str
    mean: Estimate


Contrast = Literal["occluded_minus_visible", "last_minus_first_layer"]
"""The first in the last layer; the second over keypoints of both visibilities."""


class Difference(Settings):
    """A difference of two means on the same images, of attention averaged over heads."""

    what: Contrast
    measure: str
    mean: Estimate
    """Counts are those of the side that is named first."""
    subtracted: NonNegativeInt
    """Values of the other side."""


class StatisticsReport(Subject):
    """The content of a statistics file."""

    reach: float
    bootstrap: Bootstrap
    persons: NonNegativeInt
    images: NonNegativeInt
    persons_without_mask: NonNegativeInt
    """Nothing is said of the bodies that these look at."""
    occluded_keypoints: NonNegativeInt
    visible_keypoints: NonNegativeInt
    statistics: tuple[Statistic, ...]
    differences: tuple[Difference, ...]


class Knockout(Settings):
    """What masking a ranking's first cells does."""

    depth: str
    ranking: str
    measure: str
    mean: Estimate
    margin: Estimate | None
    """The mean of attention's figure minus this ranking's, keypoint by keypoint; None for attention itself."""


class Curve(Settings):
    """Keypoint similarity as cells are masked or put back, the most important first, in the last layer."""

    direction: str
    ranking: str
    similarities: tuple[Estimate, ...]
    """At the report's `shares`."""
    area: Estimate
    """Under the curve; a faithful ranking has little under deletion and much under insertion."""
    margin: Estimate | None
    """Attention's area minus this one's, keypoint by keypoint; None for attention itself."""


class OcclusionCorrelation(Settings):
    """Rank correlation, keypoint by keypoint, of a ranking with what hiding patches of the image does to the peak."""

    ranking: str
    correlation: Estimate
    margin: Estimate | None
    """As a knock-out's."""


class Agreement(Settings):
    """Rank correlation over pairs of keypoints of a matrix and the effect of masking one keypoint on another."""

    depth: str
    explained_by: str
    """`attention`, or `distance`: what distance alone would predict."""
    effect: str
    correlation: Estimate


class Randomised(Settings):
    """Rank correlation of dependency areas with those of the model with layers drawn anew, from the last on."""

    layers: int
    correlation: Estimate


class FaithfulnessReport(Subject):
    """The content of a faithfulness file."""

    settings: AttentionMeasures
    protocol: EvalProtocol
    bootstrap: Bootstrap
    persons: NonNegativeInt
    """Persons tried."""
    keypoints: NonNegativeInt
    """Their keypoints that are labelled and found well by the unflipped pass: those that are explained."""
    shares: tuple[float, ...]
    knockouts: tuple[Knockout, ...]
    curves: tuple[Curve, ...]
    occlusion_correlations: tuple[OcclusionCorrelation, ...]
    agreements: tuple[Agreement, ...]
    randomised: tuple[Randomised, ...]


@dataclass(frozen=True)
class Change:
    """One change of a model at test time."""

    kind: ChangeKind
    layer: int | None = None
    """Counted from 0; None where all layers change, or none does."""
    head: int | None = None


class AblationResult(Settings):
    """A change and what it does."""

    change: Change
    predictions: NonNegativeInt
    """Persons that were left of the boxes."""
    metrics: dict[str, float]
    """The COCO evaluation's figures as fractions, -1 where it has no answer."""
    difference: Estimate | None
    """AP minus that of the intact model, over annotated persons; None for the intact model itself."""


class AttentionAblationReport(Subject):
    """The content of an attention ablation file."""

    protocol: EvalProtocol
    bootstrap: Bootstrap
    seed_of_shuffling: NonNegativeInt
    images: NonNegativeInt
    persons: NonNegativeInt
    layers: NonNegativeInt
    heads: NonNegativeInt
    """Of each layer."""
    results: tuple[AblationResult, ...]
    """The intact model first."""


class KeypointCount(Settings):
    """How many keypoints of the persons there are, and how many of them are evaluated."""

    keypoints: KeypointState
    labelled: NonNegativeInt
    found_well: NonNegativeInt


class PartRow(Settings):
    """One measure of one group of places, as a mean over hidden or over seen keypoints."""

    group: str
    keypoints: KeypointState
    measure: str
    mean: Estimate
    persons: NonNegativeInt
    """With at least one such keypoint."""


class PartDifference(Settings):
    """One measure of one group: hidden keypoints minus seen ones of the same kind."""

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
