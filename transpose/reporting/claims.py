"""The paper's claims about attention, each with the measurements that test it."""

from collections.abc import Iterator, Sequence

from transpose.attention.records import (
    AttentionAblationReport,
    BodyPartReport,
    Contrast,
    Difference,
    FaithfulnessReport,
    StatisticsReport,
)
from transpose.config.variant import Variant
from transpose.evaluation.intervals import Estimate
from transpose.reporting.claim import Claim, Evidence
from transpose.reporting.labels import DEPTH_WORDS


def areas_matter(reports: Sequence[FaithfulnessReport]) -> Claim:
    """Dependency areas matter more than random areas."""
    return Claim(
        "Dependency areas matter more than random areas",
        "Where a keypoint attends matters: masking those cells harms it more than masking random cells.",
        "The most attended cells of well predicted keypoints were masked, and as many random cells. The loss of"
        " the keypoint's OKS term was compared.",
        "The paper takes the last layer's attention of a keypoint's cell as the cells that its prediction depends on.",
        "The most attended cells are masked, and the same number of random cells. Similarity is the keypoint's term of"
        " OKS.",
        _ahead_of(reports, "random", "random"),
    )


def areas_beat_distance(reports: Sequence[FaithfulnessReport]) -> Claim:
    """Baseline that is not in the paper: an explanation should be better than the distance to the keypoint."""
    return Claim(
        "Dependency areas matter more than the cells nearest to the keypoint",
        "Attention says more than distance: masking the attended cells harms a keypoint more than masking the"
        " nearest cells.",
        "The most attended cells were masked, and as many cells nearest to the keypoint. The loss of the"
        " keypoint's OKS term was compared.",
        "Not the paper's claim but a baseline: cells near a keypoint matter with any map.",
        "As above, with the nearest cells instead of random ones.",
        _ahead_of(reports, "distance", "nearest"),
    )


def _ahead_of(reports: Sequence[FaithfulnessReport], baseline: str, words: str) -> tuple[Evidence, ...]:
    """Return the loss from masking attended cells minus the loss from masking the cells of a baseline."""
    measured = f"similarity lost: attended minus {words} cells masked {{}} (points)"
    return tuple(
        Evidence(report.title, measured.format(DEPTH_WORDS[one.depth]), one.margin, 1, 100)
        for report in reports
        for one in report.knockouts
        if (one.ranking, one.measure) == (baseline, "similarity_drop") and one.margin is not None
    )


def pattern_matters(reports: Sequence[AttentionAblationReport]) -> Claim:
    """Precondition that is not in the paper: attention explains nothing if its pattern has no effect."""
    return Claim(
        "The pattern of attention matters",
        "The models use the pattern of attention: they get worse when every cell attends to all cells equally.",
        "Attention was made uniform at test time, in all layers or in the last one. AP was compared with that of"
        " the intact model.",
        "Not the paper's claim but a precondition of explanations by attention.",
        "At test time every cell attends to all cells equally, in all layers or in the last layer only.",
        tuple(
            Evidence(report.title, f"AP with uniform attention{where} minus intact (points)", one.difference, -1, 100)
            for report in reports
            for one in report.results
            for where in [" in all layers" if one.change.layer is None else " in the last layer"]
            if one.change.kind == "uniform_attention" and one.difference is not None
        ),
    )


def maps_follow_weights(reports: Sequence[FaithfulnessReport]) -> Claim:
    """Sanity check of Adebayo et al.: maps of the trained model differ from maps of random models."""

    def evidence() -> Iterator[Evidence]:
        for report in reports:
            for one in report.randomised[-1:]:
                unlike = one.correlation.model_copy(update=_minus_half(one.correlation))
                words = "rank correlation of maps with those of random encoders, minus 0.5"
                yield Evidence(report.title, words, unlike, -1)

    return Claim(
        "Dependency areas depend on the learnt weights",
        "The areas come from training: they change when the encoder's weights are random.",
        "The encoder's weights were replaced by random ones. The areas before and after were compared by rank"
        " correlation.",
        "Not the paper's claim but a condition of it: a map that does not change with random weights does not explain"
        " the model.",
        "The matrices of all encoder layers are replaced by random ones, and their vectors are shuffled. Maps with a"
        " rank correlation above 0.5 count as unchanged; this limit is not from the paper.",
        tuple(evidence()),
    )


def hidden_look_at_relatives(reports: Sequence[BodyPartReport]) -> Claim:
    """Occluded keypoints attend to their mirror partners and neighbours."""
    return Claim(
        "Occluded keypoints attend more to their mirror partners and neighbours than visible keypoints do",
        "An occluded keypoint attends more to its mirror partner and its neighbours than the same keypoint does"
        " where it is visible.",
        "Attention of the last layer to these regions was compared between occluded and visible keypoints of the"
        " same kind.",
        "The paper shows an occluded ankle that attends to the other ankle, and concludes that the model uses other"
        " cues for occluded keypoints.",
        f"Last layer, mean over heads, multiples of uniform attention. {_SAME_KIND}",
        _hidden_minus_seen(reports, "attention_lift", "attention to", "×", 1.0),
    )


def hidden_need_relatives(reports: Sequence[BodyPartReport]) -> Claim:
    """Occluded keypoints need their mirror partners and neighbours."""
    return Claim(
        "Occluded keypoints need their mirror partners and neighbours more than visible keypoints do",
        "An occluded keypoint needs its mirror partner and its neighbours more than the same keypoint does where"
        " it is visible.",
        "These regions were masked in all layers, and as many random cells. The losses of occluded and visible"
        " keypoints of the same kind were compared.",
        "The same claim, tested by intervention.",
        "The cells of these regions are masked as keys of all layers. The loss of similarity is compared with that for"
        " the same number of random cells, which exclude the cells at the keypoint."
        f" {_SAME_KIND}",
        _hidden_minus_seen(reports, "similarity_drop_beyond_random", "similarity lost without", "points", 100),
    )


_SAME_KIND = (
    "Each kind of keypoint is compared with itself. Cells at the predicted keypoint are excluded, since the mirror"
    " partner often occludes the keypoint. There is no further correction for distance, although a partner that"
    " occludes a keypoint is nearer than others and attention falls with distance."
)
_RELATIVES = {"symmetric": "the mirror partner", "neighbours": "neighbours along limbs"}


def _hidden_minus_seen(
    reports: Sequence[BodyPartReport], measure: str, words: str, unit: str, factor: float
) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(
            report.title,
            f"{words} {_RELATIVES[one.group]}, occluded minus visible ({unit})",
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
        "distance": ("distance of the attended cells, last minus first layer (cells)", -1),
        "near": ("attention near the keypoint, last minus first layer (share)", 1),
        "entropy": ("entropy, last minus first layer", -1),
    }
    return Claim(
        "Deeper layers are more local",
        "Deeper layers attend closer to the keypoint than the first layer does.",
        "Distance, share near the keypoint and entropy of attention were compared between the last and the first"
        " layer.",
        "The paper: deeper layers attend to finer, more local cues.",
        "Last layer minus first layer, mean over heads. Models with one layer are left out.",
        tuple(
            Evidence(report.title, words, one.mean, -1 if sign < 0 else 1)
            for report in reports
            if max(statistic.layer for statistic in report.statistics) > 1
            for measure, (words, sign) in measures.items()
            for one in _contrasts(report, "last_minus_first_layer", measure)
        ),
    )


def h_is_more_symmetric(reports: Sequence[tuple[Variant, BodyPartReport]]) -> Claim:
    """TransPose-H uses symmetric keypoints more than TransPose-R; compared with equal position embeddings."""

    def evidence() -> Iterator[Evidence]:
        for h_variant, h_report in reports:
            for r_variant, r_report in reports:
                families = h_variant.backbone.family, r_variant.backbone.family
                if families == ("hrnet", "resnet") and _embedding(h_variant) == _embedding(r_variant):
                    words = "attention of visible keypoints to the mirror partner, H minus R (×)"
                    estimate = independent_difference(_to_partner(h_report), _to_partner(r_report))
                    yield Evidence(f"{h_report.title} vs {r_report.title}", words, estimate, 1)

    return Claim(
        "TransPose-H uses symmetric keypoints more than TransPose-R",
        "TransPose-H attends more to the mirror partner of a keypoint than TransPose-R does.",
        "Attention of visible keypoints to their mirror partners was compared between H and R models with the"
        " same position embedding.",
        "The paper: for limbs, TransPose-R-A4 uses local cues of the same side, TransPose-H-A4 more cues of symmetric"
        " keypoints.",
        "Last layer, mean over heads, multiples of uniform attention, without cells at the keypoint itself. Body parts"
        " of rendered people have no partner in the head; with keypoint neighbourhoods, eyes and ears count too. The"
        " interval treats both models as independent and is wider than a paired one.",
        tuple(evidence()),
    )


def positions_help(differences: Sequence[tuple[str, str, Estimate]]) -> Claim:
    """Sine > learnable > none.

    Args:
        differences: title of the model that the paper ranks higher, title of the other, and their AP difference.
    """
    return Claim(
        "A sine embedding is better than a learnable one, and a learnable one is better than none",
        "Sine position embeddings give a higher AP than learnable ones, and learnable ones a higher AP than none.",
        "AP of models that differ in the position embedding only was compared on the same images.",
        "The paper's ablation of the position embedding on TransPose-R-A3.",
        "AP of models that differ in the embedding only, on the same images.",
        tuple(
            Evidence(f"{better} vs {worse}", "difference in AP (points)", estimate, 1, 100)
            for better, worse, estimate in differences
        ),
    )


def independent_difference(first: Estimate, second: Estimate) -> Estimate:
    """Return first minus second of two independent estimates; half-widths add in quadrature."""
    if None in (first.value, first.low, first.high, second.value, second.low, second.high):
        return Estimate(value=None, low=None, high=None, count=0, images=0)
    values = [float(number or 0.0) for number in (first.value, first.low, first.high)]
    others = [float(number or 0.0) for number in (second.value, second.low, second.high)]
    value = values[0] - others[0]
    below = ((values[0] - values[1]) ** 2 + (others[2] - others[0]) ** 2) ** 0.5
    above = ((values[2] - values[0]) ** 2 + (others[0] - others[1]) ** 2) ** 0.5
    common = {name: min(getattr(first, name), getattr(second, name)) for name in ("count", "images", "trainings")}
    return Estimate(value=value, low=value - below, high=value + above, **common)


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
