"""Every estimate of the attention reports is the statistic that is resampled: that of all images, each once."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from transpose.attention import estimates
from transpose.attention.attribution import RANKINGS
from transpose.attention.body_part_report import summarise as summarise_parts
from transpose.attention.body_parts import ATTENTION_MEASURES, KNOCKOUT_MEASURES
from transpose.attention.estimates import PerturbationResults
from transpose.attention.faithfulness import MEASURES as FAITHFULNESS_MEASURES
from transpose.attention.faithfulness_report import summarise as summarise_faithfulness
from transpose.attention.influence import Influence
from transpose.attention.masking import DEPTHS
from transpose.attention.records import DIRECTIONS
from transpose.attention.statistics import MEASURES, Tally
from transpose.attention.statistics_report import differences, matrices, statistics
from transpose.config.attention import AttentionMeasures
from transpose.config.bootstrap import Bootstrap
from transpose.evaluation.intervals import estimates_in

BOOTSTRAP = Bootstrap(samples=4, seed=0)
SETTINGS = AttentionMeasures()
IMAGE_IDS = np.repeat([3, 5, 8, 9, 11, 20], [1, 2, 3, 1, 2, 2])
PERSONS, KEYPOINTS = len(IMAGE_IDS), 5
GROUPS = ("place", "symmetric")


Keys = Iterator[tuple[tuple[str, ...], tuple[int, ...]]]
"""Keys of results and the shape of each keypoint's values."""


def results(keys: Callable[[], Keys], rng: np.random.Generator) -> PerturbationResults:
    """Random results of some keypoints of each person; the largest values belong to images with many persons."""
    found = PerturbationResults(IMAGE_IDS, KEYPOINTS)
    for person, image in enumerate(IMAGE_IDS.tolist()):
        keypoints = np.flatnonzero(rng.random(KEYPOINTS) < 0.7)
        for key, shape in keys():
            found.record(key, person, keypoints, image * rng.random((len(keypoints), *shape)))
    return found


def faithfulness_keys() -> Keys:
    for ranking in RANKINGS:
        yield from ((("knockout", depth, ranking, name), ()) for depth in DEPTHS for name in FAITHFULNESS_MEASURES)
        yield from ((("curve", direction, ranking), (2 + len(SETTINGS.fractions),)) for direction in DIRECTIONS)
        yield ("occlusion_correlation", ranking), ()
    yield from ((("influence", depth, name), (KEYPOINTS,)) for depth in DEPTHS for name in Influence._fields)
    yield ("randomised", "1"), ()


def part_keys() -> Keys:
    yield from (((group, name), ()) for group in GROUPS for name in (*ATTENTION_MEASURES, *KNOCKOUT_MEASURES))


def tally(rng: np.random.Generator) -> Tally:
    found = Tally(IMAGE_IDS, layers=2, heads=2, keypoints=KEYPOINTS)
    for image in IMAGE_IDS.tolist():
        visibility = rng.integers(0, 3, KEYPOINTS)
        for layer in range(2):
            found.add(image, layer, visibility, image * rng.random((3, KEYPOINTS, len(MEASURES))))
            mass, lift = rng.random((2, 3, KEYPOINTS, KEYPOINTS))
            found.add_pairs(image, layer, visibility, mass, lift, np.ones(KEYPOINTS, dtype=bool))
    return found


def reports() -> dict[str, tuple[Any, ...]]:
    """Return all blocks with estimates."""
    rng = np.random.default_rng(0)
    one, visibility = tally(rng), rng.integers(0, 3, (PERSONS, KEYPOINTS))
    faithfulness: Any = summarise_faithfulness(results(faithfulness_keys, rng), SETTINGS, 1, BOOTSTRAP)
    parts: Any = summarise_parts(results(part_keys, rng), visibility, GROUPS, BOOTSTRAP)
    return {
        "statistics": tuple(statistics(one, BOOTSTRAP)),
        "differences": tuple(differences(one, BOOTSTRAP)),
        **{name: tuple(faithfulness[name]) for name in ("knockouts", "curves", "occlusion_correlations", "agreements")},
        "randomised": tuple(faithfulness["randomised"]),
        "rows of parts": tuple(parts["rows"]),
        "differences of parts": tuple(parts["differences"]),
    }


@pytest.fixture
def every_image_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every resample contain each image exactly once."""
    monkeypatch.setattr(estimates, "_drawn", lambda images, samples, seed: np.ones((1 + samples, images), dtype=int))


@pytest.mark.usefixtures("every_image_once")
def test_the_resample_of_every_image_once_has_the_value_of_the_estimate() -> None:
    for name, blocks in reports().items():
        found = list(estimates_in(blocks))
        assert found, name
        for one in found:
            assert one.value is not None, name
            assert one.draws == pytest.approx(np.full(BOOTSTRAP.samples, one.value), abs=1e-12, rel=1e-12), name
            assert (one.low, one.high) == pytest.approx((one.value, one.value), abs=1e-9), name


@pytest.mark.usefixtures("every_image_once")
def test_the_intervals_of_matrices_are_of_the_matrices() -> None:
    arrays = matrices(tally(np.random.default_rng(0)), BOOTSTRAP)
    np.testing.assert_allclose(arrays["lift_low"], arrays["lift"], atol=1e-6)
    np.testing.assert_allclose(arrays["lift_high"], arrays["lift"], atol=1e-6)


def test_intervals_contain_their_estimates() -> None:
    for name, blocks in reports().items():
        for one in estimates_in(blocks):
            assert one.value is not None, name
            assert one.low is not None, name
            assert one.high is not None, name
            assert one.low <= one.value <= one.high, name
