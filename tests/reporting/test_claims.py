"""Verdicts on claims: the measurements decide, and they can say no."""

from typing import Any, Literal

import pytest

from tests.helpers.small_variants import small_encoder, small_variant
from transpose.attention.records import (
    AblationResult,
    AttentionAblationReport,
    BodyPartReport,
    Change,
    Difference,
    FaithfulnessReport,
    Knockout,
    PartDifference,
    PartRow,
    Randomised,
    Statistic,
    StatisticsReport,
)
from transpose.evaluation.intervals import Estimate
from transpose.reporting.claim import Claim, Evidence
from transpose.reporting.claim_table import rows_of
from transpose.reporting.claims import (
    areas_beat_distance,
    areas_matter,
    deeper_is_more_local,
    h_is_more_symmetric,
    hidden_look_at_relatives,
    hidden_need_relatives,
    independent_difference,
    maps_follow_weights,
    pattern_matters,
    positions_help,
)

YES, NO, OPEN = (0.2, 0.1, 0.3), (-0.2, -0.3, -0.1), (0.1, -0.1, 0.3)
CASES = [(YES, "supported"), (NO, "not supported"), (OPEN, "undecided")]


def estimate(numbers: tuple[float, float, float] | None) -> Estimate:
    value, low, high = numbers or (None, None, None)
    return Estimate(value=value, low=low, high=high, count=5 if numbers else 0, images=4 if numbers else 0, trainings=2)


def flipped(numbers: tuple[float, float, float]) -> tuple[float, float, float]:
    value, low, high = numbers
    return -value, -high, -low


def faithfulness(margin: tuple[float, float, float] | None, unlike: tuple[float, float, float] = NO) -> Any:
    knockouts = tuple(
        Knockout(
            depth="last_layer",
            ranking=ranking,
            measure="similarity_drop",
            mean=estimate(YES),
            margin=None if ranking == "attention" else estimate(margin),
        )
        for ranking in ("attention", "random", "distance")
    )
    randomised = (Randomised(layers=1, correlation=estimate(YES)), Randomised(layers=2, correlation=estimate(unlike)))
    return FaithfulnessReport.model_construct(title="R", knockouts=knockouts, randomised=randomised)


def statistics(contrast: tuple[float, float, float], *, layers: int = 2) -> Any:
    measured = tuple(
        Statistic(layer=layer + 1, head=head, visibility="visible", measure="partner_lift", mean=estimate(YES))
        for layer in range(layers)
        for head in (1, None)
    )
    # Less is more local, but for the share that is near.
    differences = (
        Difference(what="last_minus_first_layer", measure="near", mean=estimate(contrast), subtracted=5),
        *(
            Difference(what="last_minus_first_layer", measure=measure, mean=estimate(flipped(contrast)), subtracted=5)
            for measure in ("distance", "entropy")
        ),
    )
    return StatisticsReport.model_construct(title="R", statistics=measured, differences=differences)


def body_parts(contrast: tuple[float, float, float], *, partner: tuple[float, float, float] = YES) -> Any:
    differences = tuple(
        PartDifference(group=group, measure=measure, hidden_minus_seen=estimate(contrast))
        for group in ("place", "symmetric", "neighbours", "background")
        for measure in ("attention_lift", "attention_mass", "similarity_drop_beyond_random")
    )
    rows = tuple(
        PartRow(group="symmetric", keypoints=state, measure="attention_lift", mean=estimate(numbers), persons=4)
        for state, numbers in _states(partner)
    )
    return BodyPartReport.model_construct(title="R", rows=rows, differences=differences)


def _states(
    of_seen: tuple[float, float, float],
) -> tuple[tuple[Literal["hidden", "seen"], tuple[float, float, float]], ...]:
    return ("hidden", NO), ("seen", of_seen)


def ablations(difference: tuple[float, float, float]) -> Any:
    results = [
        AblationResult(
            change=Change(kind=kind),
            predictions=3,
            metrics={"AP": 0.5},
            difference=estimate(difference) if after else None,
        )
        for kind, after in _kinds()
    ]
    return AttentionAblationReport.model_construct(title="R", results=tuple(results))


def _kinds() -> tuple[tuple[Literal["intact", "uniform_attention"], bool], ...]:
    return ("intact", False), ("uniform_attention", True)


@pytest.mark.parametrize(("margin", "verdict"), CASES)
def test_areas_against_chance_and_nearness(margin: tuple[float, float, float], verdict: str):
    for claim in (areas_matter([faithfulness(margin)]), areas_beat_distance([faithfulness(margin)])):
        assert [one.verdict for one in claim.evidence] == [verdict]
        assert claim.verdict == verdict


@pytest.mark.parametrize(
    ("correlation", "verdict"),
    [((0.1, 0.0, 0.2), "supported"), ((0.9, 0.8, 0.95), "not supported"), ((0.5, 0.4, 0.6), "undecided")],
)
def test_maps_must_change_with_all_weights(correlation: tuple[float, float, float], verdict: str):
    assert maps_follow_weights([faithfulness(YES, correlation)]).verdict == verdict


@pytest.mark.parametrize(("contrast", "verdict"), CASES)
def test_hidden_keypoints(contrast: tuple[float, float, float], verdict: str):
    for claim in (hidden_look_at_relatives([body_parts(contrast)]), hidden_need_relatives([body_parts(contrast)])):
        assert [one.verdict for one in claim.evidence] == [verdict] * 2


@pytest.mark.parametrize(("contrast", "verdict"), CASES)
def test_depth(contrast: tuple[float, float, float], verdict: str):
    assert deeper_is_more_local([statistics(contrast)]).verdict == verdict


@pytest.mark.parametrize(("difference", "verdict"), [(NO, "supported"), (YES, "not supported"), (OPEN, "undecided")])
def test_the_pattern_matters_where_its_loss_costs_accuracy(difference: tuple[float, float, float], verdict: str):
    assert pattern_matters([ablations(difference)]).verdict == verdict


@pytest.mark.parametrize(("difference", "verdict"), CASES)
def test_position_embeddings(difference: tuple[float, float, float], verdict: str):
    assert positions_help([("sine", "none", estimate(difference))]).verdict == verdict


@pytest.mark.parametrize(
    ("of_h", "verdict"),
    [((5.0, 4.5, 5.5), "supported"), ((0.5, 0.4, 0.6), "not supported"), ((1.1, 0.9, 1.3), "undecided")],
)
def test_h_against_r_with_the_same_embedding(of_h: tuple[float, float, float], verdict: str):
    r, h = small_variant("resnet"), small_variant("hrnet")
    other = small_variant("resnet", {"encoder": small_encoder(position_embedding="none")})
    parts = [
        (r, body_parts(YES, partner=(1.0, 0.9, 1.1))),
        (h, body_parts(YES, partner=of_h)),
        (other, body_parts(YES)),
    ]
    claim = h_is_more_symmetric(parts)
    assert len(claim.evidence) == 1
    assert claim.verdict == verdict


def test_what_was_not_measured_is_no_verdict():
    assert areas_matter([faithfulness(None)]).verdict == "not measured"
    assert positions_help([]).verdict == "not measured"
    assert deeper_is_more_local([statistics(YES, layers=1)]).verdict == "not measured"


def test_figures_that_disagree_are_counted():
    evidence = tuple(Evidence("R", "", estimate(numbers), 1) for numbers in (YES, NO, YES))
    assert Claim("", "", "", "", "", evidence).verdict == "mixed: 2 supported, 1 not supported"


def test_one_training_supports_a_claim_for_itself_only():
    for numbers, verdict in CASES:
        one = estimate(numbers).model_copy(update={"trainings": 1})
        expected = verdict if verdict == "undecided" else f"{verdict} by one training"
        assert Evidence("R", "", one, 1).verdict == expected


def test_an_interval_that_ends_at_zero_decides_nothing():
    assert Evidence("R", "", estimate((0.1, 0.0, 0.2)), 1).verdict == "undecided"
    assert Evidence("R", "", estimate((-0.1, -0.2, 0.0)), -1).verdict == "undecided"


def test_half_widths_of_independent_estimates_add_in_squares():
    found = independent_difference(estimate((5.0, 2.0, 9.0)), estimate((1.0, 0.0, 5.0)))
    assert (found.value, found.low, found.high) == pytest.approx((4.0, 4.0 - 5.0, 4.0 + 17**0.5))
    assert independent_difference(estimate(None), estimate(YES)).value is None


def test_rows_of_a_claim_have_one_measured_value_each() -> None:
    evidence = (
        Evidence("r", "similarity (points)", estimate(YES), 1, 100),
        Evidence("h", "distance (cells)", estimate(NO), -1),
    )
    first, second = rows_of(Claim("title", "plain", "done", "said", "how", evidence))
    assert (first["model"], first["predicted"], first["value"], first["low"]) == ("r", "above 0", 20, 10)
    assert (second["measured"], second["predicted"], second["value"]) == ("distance (cells)", "below 0", -0.2)
    assert {first["result"], second["result"]} == {"supported"}
    (empty,) = rows_of(Claim("title", "plain", "done", "said", "how", ()))
    assert empty["result"] == "not measured"
    assert "value" not in empty
