"""Calibration: scores that are right have no error, shuffled ones do, and groups are of what they say."""

from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.injected_errors import SKELETONS, Scene, exact_scene
from transpose.config.bootstrap import Bootstrap
from transpose.evaluation.calibration import Calibration, calibrate
from transpose.evaluation.error_types.mended import APGains
from transpose.evaluation.error_types.report import diagnose, error_types
from transpose.evaluation.reliability import BINS, ReliabilityTable
from transpose.evaluation.rescoring import size_corrected_scores
from transpose.inference.poses import PoseResults
from transpose.skeleton import Skeleton

BOOTSTRAP = Bootstrap(samples=100, seed=0)


def calibration(scene: Scene, has_keypoint_scores: bool = True) -> Calibration:
    found = diagnose(scene.annotations, scene.results, scene.skeleton)
    return calibrate(APGains.of(found, BOOTSTRAP), has_keypoint_scores)


def uneven_scene(skeleton: Skeleton, images: int = 60) -> Scene:
    """Predictions with random errors, whose scores are exactly the OKS and its terms."""
    scene, rng = exact_scene(skeleton, images), np.random.default_rng(0)
    persons = scene.annotations.persons
    quality = rng.uniform(0.3, 1, (len(persons), 1))
    similarity = np.clip(quality + rng.uniform(-0.1, 0.1, (len(persons), len(skeleton))), 0.05, 1)
    deviations = np.sqrt(persons.areas)[:, None] * 2 * skeleton.oks_sigmas
    keypoints = scene.results.keypoints.copy()
    keypoints[..., 0] += deviations * np.sqrt(-2 * np.log(similarity))
    keypoints[..., 2] = similarity
    return replace(scene, results=PoseResults(persons.image_ids, keypoints, similarity.mean(axis=1)))


@pytest.mark.parametrize("skeleton", SKELETONS, ids=lambda skeleton: skeleton.name)
def test_scores_that_are_their_oks_have_no_error(skeleton: Skeleton) -> None:
    found = calibration(uneven_scene(skeleton))
    assert found.notes == ()
    assert found.keypoints is not None
    assert found.keypoints.ece.value == pytest.approx(0, abs=1e-9)
    assert found.keypoints.ece.count == 120 * len(skeleton)
    assert found.persons is not None
    assert found.persons.ece.value == pytest.approx(0, abs=1e-9)
    for one in found.keypoints.bins:
        assert one.mean_score == pytest.approx(one.mean_truth)


def test_shuffled_scores_are_seen() -> None:
    scene = uneven_scene(SKELETONS[1])
    scene.results.scores[:] = np.random.default_rng(1).permutation(scene.results.scores)
    found = calibration(scene)
    assert found.persons is not None
    assert found.persons.ece.low is not None
    assert found.persons.ece.low > 0.05
    gains = APGains.of(diagnose(scene.annotations, scene.results, scene.skeleton), BOOTSTRAP)
    order = error_types(gains, with_groups=False).scores["order"]
    assert order.count > 60
    assert order.low is not None
    assert order.low > 0
    assert found.keypoints is not None
    assert found.keypoints.ece.value == pytest.approx(0, abs=1e-9)


def test_groups() -> None:
    scene = uneven_scene(SKELETONS[1], images=5)
    scene.annotations.persons.keypoints[0, :4, 2] = 1
    scene.annotations.persons.areas[1] = 100.0
    found = calibration(scene)
    counts = {name: one.ece.count for name, one in found.keypoints_by_visibility.items()}
    assert (counts["occluded"], counts["occluded"] + counts["visible"]) == (4, found.keypoints.ece.count)  # pyright: ignore[reportOptionalMemberAccess]
    assert sum(one.ece.count for one in found.keypoints_by_size.values()) == found.keypoints.ece.count  # pyright: ignore[reportOptionalMemberAccess]
    assert found.persons_by_size["large"].ece.count == 9
    assert found.persons_by_size["medium"].ece.value is None


def test_scores_that_are_absent_or_no_probabilities() -> None:
    scene = uneven_scene(SKELETONS[0], images=3)
    found = calibration(scene, has_keypoint_scores=False)
    assert (found.keypoints, found.rescored) == (None, None)
    assert found.notes == ("the file has no keypoint scores",)
    scene.results.scores[0] = 7
    scene.results.keypoints[0, 0, 2] = -3
    found = calibration(scene)
    assert (found.keypoints, found.persons) == (None, None)
    assert found.notes == ("keypoint scores are not in [0, 1]", "person scores are not in [0, 1]")


def test_the_error_of_a_sample_counts_images_as_often_as_it_has_them() -> None:
    rng = np.random.default_rng(0)
    images, scores, truth = rng.integers(0, 4, 50), rng.random(50), rng.random(50)
    table = ReliabilityTable.of(np.arange(4), images, scores, truth)
    weights = np.array([[1, 1, 1, 1], [2, 0, 1, 1], [0, 0, 0, 0]])
    repeated = np.concatenate([np.flatnonzero(images == image) for image in (0, 0, 2, 3)])
    once = ReliabilityTable.of(np.arange(4), images[repeated], scores[repeated], truth[repeated])
    found = table.accuracy(weights)
    assert found[1] == pytest.approx(once.accuracy(weights[:1])[0])
    assert found[2] == -1
    bins = [np.flatnonzero((scores * BINS).astype(int) == number) for number in range(BINS)]
    by_hand = sum(abs(scores[chosen].sum() - truth[chosen].sum()) for chosen in bins) / 50
    assert found[0] == pytest.approx(by_hand)


def test_rescoring_turns_heatmap_maxima_into_expected_oks() -> None:
    """Positions have a Gaussian error, and scores are the maxima of heatmaps averaged over it."""
    skeleton, rng = SKELETONS[1], np.random.default_rng(0)
    side, persons = 160.0, 4000
    corners = np.array([[0.0, 0.0], [0.75 * side, side]])
    truth = np.concatenate((corners, rng.uniform(0, 1, (len(skeleton) - 2, 2)) * corners[1]))
    variances = rng.uniform(1, 60, (persons, len(skeleton)))
    points = truth + rng.normal(size=(persons, len(skeleton), 2)) * np.sqrt(variances)[..., None]
    heatmap_variance = (1.25 * side / 32) ** 2
    scores = heatmap_variance / (heatmap_variance + variances)
    keypoints = np.concatenate((points, scores[..., None]), axis=2)
    area = 0.53 * 0.75 * side**2
    squared = ((points - truth) ** 2).sum(axis=2)
    oks = np.exp(-squared / (2 * area * (2 * skeleton.oks_sigmas) ** 2)).mean(axis=1)
    results = PoseResults(np.arange(persons), keypoints, scores.mean(axis=1))
    corrected = size_corrected_scores(results, skeleton)
    # The box of predicted keypoints is a little too large, so the correction is not exact.
    assert abs(corrected.mean() - oks.mean()) < 0.3 * abs(scores.mean() - oks.mean())


def test_rescoring_keeps_certain_and_absent_scores() -> None:
    skeleton = SKELETONS[0]
    keypoints = np.zeros((3, 5, 3))
    keypoints[:2, :, :2] = np.arange(10).reshape(5, 2) * 10
    keypoints[0, :, 2] = 1
    keypoints[2, :, 2] = 0.5
    scores = size_corrected_scores(PoseResults(np.arange(3), keypoints, np.array([0.8, 0.7, 0.6])), skeleton)
    assert scores[:2].tolist() == [pytest.approx(0.8), 0.7]
    assert scores[2] == 0
