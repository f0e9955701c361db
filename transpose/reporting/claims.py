"""What the paper claims of attention, and the measured figures that speak for or against each claim."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from transpose.attention.estimates import Estimate
from transpose.attention.records import (
    AttentionAblationReport,
    BodyPartReport,
    Contrast,
    Difference,
    FaithfulnessReport,
    StatisticsReport,
)
from transpose.config.variant import Variant
from transpose.reporting.labels import DEPTH_WORDS

Verdict = Literal["supported", "not supported", "undecided", "not measured"]


@dataclass(frozen=True)
class Evidence:
    """One figure."""

    model: str
    """Whose it is, or between which models."""
    measured: str
    """What it is, with its unit."""
    estimate: Estimate
    sign: Literal[-1, 1]
    """The side of zero on which the claim foretells it."""
    factor: float = 1.0
    """From the estimate's unit to that of `measured`."""

    @property
    def verdict(self) -> Verdict:
        """Whether the whole interval lies on the expected side of zero, on the other, or on both."""
        low, high = self.estimate.low, self.estimate.high
        if self.estimate.value is None or low is None or high is None:
            return "not measured"
        if self.sign < 0:
            low, high = -high, -low
        if low > 0:
            return "supported"
        return "not supported" if high < 0 else "undecided"


@dataclass(frozen=True)
class Claim:
    """A claim and what was measured of it."""

    title: str
    said: str
    """Who says so, and in which words of ours."""
    how: str
    """How it was put to the test."""
    evidence: tuple[Evidence, ...]

    @property
    def verdict(self) -> str:
        """What all figures say together: one verdict if they agree, else how many say what."""
        verdicts = [one.verdict for one in self.evidence]
        kinds = dict.fromkeys(verdicts)
        if not kinds:
            return "not measured"
        if len(kinds) == 1:
            return verdicts[0]
        return "mixed: " + ", ".join(f"{verdicts.count(kind)} {kind}" for kind in kinds)


def areas_matter(reports: Sequence[FaithfulnessReport]) -> Claim:
    """Dependency areas matter more than random areas."""
    return Claim(
        "Dependency areas matter more than random areas",
        "The paper reads the last layer's attention of a keypoint's cell as what its prediction depends on.",
        "The most attended cells are masked, and as many random ones; similarity is the keypoint's term of OKS.",
        _ahead_of(reports, "random", "random"),
    )


def areas_beat_distance(reports: Sequence[FaithfulnessReport]) -> Claim:
    """Not in the paper: an explanation should say more than that the keypoint is near itself."""
    return Claim(
        "Dependency areas matter more than the cells nearest to the keypoint",
        "Not the paper's claim, but what an explanation must beat: cells near a keypoint matter whatever a map says.",
        "As above, with the nearest cells in the place of random ones.",
        _ahead_of(reports, "distance", "nearest"),
    )


def _ahead_of(reports: Sequence[FaithfulnessReport], rival: str, words: str) -> tuple[Evidence, ...]:
    """What masking attended cells costs beyond what a rival's cells cost."""
    measured = f"similarity lost without attended minus without {words} cells, {{}} (points)"
    return tuple(
        Evidence(report.title, measured.format(DEPTH_WORDS[one.depth]), one.margin, 1, 100)
        for report in reports
        for one in report.knockouts
        if (one.ranking, one.measure) == (rival, "similarity_drop") and one.margin is not None
    )


def pattern_matters(reports: Sequence[AttentionAblationReport]) -> Claim:
    """Not in the paper: an explanation by attention presupposes that it matters who attends to whom."""
    return Claim(
        "It matters who attends to whom",
        "Not the paper's claim, but what explaining by attention presupposes.",
        "At test time every cell attends to all alike, in all layers or in the last alone.",
        tuple(
            Evidence(report.title, f"AP with uniform attention{where} minus intact (points)", one.difference, -1, 100)
            for report in reports
            for one in report.results
            for where in [" in all layers" if one.change.layer is None else " in the last layer"]
            if one.change.kind == "uniform_attention" and one.difference is not None
        ),
    )


def maps_follow_weights(reports: Sequence[FaithfulnessReport]) -> Claim:
    """The sanity check of Adebayo et al.: a map of the trained model is not one of any model."""

    def evidence() -> Iterator[Evidence]:
        for report in reports:
            for one in report.randomised[-1:]:
                unlike = one.correlation.model_copy(update=_minus_half(one.correlation))
                words = "rank correlation of maps with those of random encoders, minus 0.5"
                yield Evidence(report.title, words, unlike, -1)

    return Claim(
        "Dependency areas come from what was learnt",
        "Not the paper's claim, but a condition of it: a map that stays when the weights go explains no weights.",
        "All encoder layers get matrices drawn anew and vectors in another order. Maps that keep more than half of"
        " their order (rank correlation) count as unchanged; the limit is ours.",
        tuple(evidence()),
    )


def hidden_look_at_relatives(reports: Sequence[BodyPartReport]) -> Claim:
    """Hidden keypoints lean on their visible relatives: where they look."""
    return Claim(
        "Hidden keypoints look more at their mirror partners and neighbours than seen keypoints do",
        "The paper shows an occluded ankle whose evidence comes from the other ankle, and concludes that a model leans"
        " on other cues where a keypoint is hidden.",
        f"Last layer, heads averaged, multiples of uniform attention. {_LIKE_WITH_LIKE}",
        _hidden_minus_seen(reports, "attention_lift", "attention to", "×", 1.0),
    )


def hidden_need_relatives(reports: Sequence[BodyPartReport]) -> Claim:
    """Hidden keypoints lean on their visible relatives: what they cannot do without."""
    return Claim(
        "Hidden keypoints need their mirror partners and neighbours more than seen keypoints do",
        "The same claim, causally.",
        "The cells of these places are masked as keys of all layers, and as many random cells that spare the"
        " keypoint's own place; similarity lost beyond what"
        f" the random ones cost. {_LIKE_WITH_LIKE}",
        _hidden_minus_seen(reports, "similarity_drop_beyond_random", "similarity lost without", "points", 100),
    )


_LIKE_WITH_LIKE = (
    "Each kind of keypoint is compared with itself; cells around the predicted keypoint count for neither, since what"
    " hides a keypoint is often its mirror partner. Attention falling with distance, and a partner which hides a"
    " keypoint is nearer than others, is not taken out beyond that."
)
_RELATIVES = {"symmetric": "the mirror partner", "neighbours": "neighbours along limbs"}


def _hidden_minus_seen(
    reports: Sequence[BodyPartReport], measure: str, words: str, unit: str, factor: float
) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(
            report.title,
            f"{words} {_RELATIVES[one.group]}, hidden minus seen ({unit})",
            one.hidden_minus_seen,
            1,
            factor,
        )
        for report in reports
        for one in report.differences
        if one.measure == measure and one.group in _RELATIVES
    )


def deeper_is_more_local(reports: Sequence[StatisticsReport]) -> Claim:
    """Deeper layers attend to finer, more local cues."""
    measures = {
        "distance": ("distance of what is attended, last minus first layer (cells)", -1),
        "near": ("attention near the keypoint, last minus first layer (share)", 1),
        "entropy": ("entropy, last minus first layer", -1),
    }
    return Claim(
        "Deeper layers are more local",
        "The paper: deeper layers attend to finer, more local cues.",
        "Last layer minus first, heads averaged; without a second layer there is nothing to compare.",
        tuple(
            Evidence(report.title, words, one.mean, -1 if sign < 0 else 1)
            for report in reports
            if max(statistic.layer for statistic in report.statistics) > 1
            for measure, (words, sign) in measures.items()
            for one in _contrasts(report, "last_minus_first_layer", measure)
        ),
    )


def h_is_more_symmetric(reports: Sequence[tuple[Variant, BodyPartReport]]) -> Claim:
    """TransPose-H uses symmetric keypoints more than TransPose-R; compared at equal position embeddings."""

    def evidence() -> Iterator[Evidence]:
        for h_variant, h_report in reports:
            for r_variant, r_report in reports:
                families = h_variant.backbone.family, r_variant.backbone.family
                if families == ("hrnet", "resnet") and _embedding(h_variant) == _embedding(r_variant):
                    words = "attention of seen keypoints to the mirror partner, H minus R (×)"
                    estimate = independent_difference(_to_partner(h_report), _to_partner(r_report))
                    yield Evidence(f"{h_report.title} against {r_report.title}", words, estimate, 1)

    return Claim(
        "TransPose-H uses symmetric keypoints more than TransPose-R",
        "The paper: for limbs, TransPose-R-A4 uses local cues of the same side, TransPose-H-A4 more cues of symmetric"
        " keypoints.",
        "Last layer, heads averaged, multiples of uniform attention, without cells at the keypoint itself. Body parts"
        " of rendered people have no partner in the head; where keypoint neighbourhoods stand for parts, eyes and ears"
        " count too. The interval takes both sides as independent, which is wider than a paired one.",
        tuple(evidence()),
    )


def positions_help(differences: Sequence[tuple[str, str, Estimate]]) -> Claim:
    """Sine > learnable > none.

    Args:
        differences: title of the model that the paper has ahead, of the other, and AP of the first minus the second.
    """
    return Claim(
        "A sine embedding is better than a learnable one, and that better than none",
        "The paper's ablation of the position embedding on TransPose-R-A3.",
        "AP of models that differ in the embedding alone, by paired bootstrap over images. The spread of trainings is"
        " not in the interval.",
        tuple(
            Evidence(f"{better} against {worse}", "difference in AP (points)", estimate, 1, 100)
            for better, worse, estimate in differences
        ),
    )


def independent_difference(first: Estimate, second: Estimate) -> Estimate:
    """First minus second of two estimates that are taken as independent: half-widths add in squares."""
    if None in (first.value, first.low, first.high, second.value, second.low, second.high):
        return Estimate(value=None, low=None, high=None, count=0, images=0)
    values = [float(number or 0.0) for number in (first.value, first.low, first.high)]
    others = [float(number or 0.0) for number in (second.value, second.low, second.high)]
    value = values[0] - others[0]
    below = ((values[0] - values[1]) ** 2 + (others[2] - others[0]) ** 2) ** 0.5
    above = ((values[2] - values[0]) ** 2 + (others[0] - others[1]) ** 2) ** 0.5
    count, images = min(first.count, second.count), min(first.images, second.images)
    return Estimate(value=value, low=value - below, high=value + above, count=count, images=images)


def _contrasts(report: StatisticsReport, what: Contrast, measure: str) -> list[Difference]:
    return [one for one in report.differences if (one.what, one.measure) == (what, measure)]


def _to_partner(report: BodyPartReport) -> Estimate:
    found = [
        row.mean
        for row in report.rows
        if (row.group, row.keypoints, row.measure) == ("symmetric", "seen", "attention_lift")
    ]
    return found[0] if found else Estimate(value=None, low=None, high=None, count=0, images=0)


def _embedding(variant: Variant) -> str | None:
    return variant.encoder.position_embedding if variant.encoder else None


def _minus_half(estimate: Estimate) -> dict[str, float | None]:
    ends = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    return {name: None if number is None else number - 0.5 for name, number in ends.items()}
