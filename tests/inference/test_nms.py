import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transpose.inference import nms
from transpose.inference.nms import best_scored_first, oks_nms, rescore
from transpose.skeleton import COCO_PERSON


def suppress_one_by_one(keypoints, scores, areas, image_ids, sigmas, threshold):
    """The official suppression of each image: an ascending sort, reversed."""
    keep = []
    for image_id in np.unique(image_ids):
        persons = np.flatnonzero(image_ids == image_id)
        left = persons[np.argsort(scores[persons], kind="stable")[::-1]].tolist()
        while left:
            best, *left = left
            keep.append(best)
            left = [i for i in left if oks(keypoints, areas, best, i, sigmas) <= threshold]
    return keep


def oks(keypoints, areas, a, b, sigmas):
    squared = ((keypoints[a, :, :2] - keypoints[b, :, :2]) ** 2).sum(axis=1)
    return np.exp(-squared / (2 * sigmas) ** 2 / ((areas[a] + areas[b]) / 2 + np.spacing(1)) / 2).mean()


def persons(seed, count, images=4):
    """Persons near a few spots, so that many are nearly the same."""
    rng = np.random.default_rng(seed)
    spots = rng.uniform(0, 300, (3, 17, 2))
    keypoints = spots[rng.integers(0, 3, count)] + rng.normal(0, 1, (count, 17, 2)) * rng.uniform(0, 12, (count, 1, 1))
    scores = rng.integers(0, 20, count) / 20
    return keypoints, scores, rng.uniform(5_000, 20_000, count), rng.integers(0, images, count)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 40), threshold=st.sampled_from([0.3, 0.7, 0.9]))
def test_keeps_whom_the_definition_keeps(seed, count, threshold):
    scene = persons(seed, count)
    expected = suppress_one_by_one(*scene, COCO_PERSON.oks_sigmas, threshold)
    assert oks_nms(*scene, COCO_PERSON.oks_sigmas, threshold).tolist() == expected


def test_of_equal_scores_the_last_person_comes_first():
    keypoints = np.full((4, 17, 2), 10.0)
    keypoints[2] += 500
    scene = keypoints, np.array([0.5, 0.5, 0.5, 0.7]), np.full(4, 1e4), np.array([3, 3, 3, 1]), COCO_PERSON.oks_sigmas
    # Person 1 suppresses person 0, which is at the same place.
    assert oks_nms(*scene).tolist() == [3, 2, 1]
    assert best_scored_first(scene[1], scene[3]).tolist() == [3, 2, 1, 0]


def test_blocks_of_pairs_change_nothing(monkeypatch):
    scene = persons(7, 60)
    whole = oks_nms(*scene, COCO_PERSON.oks_sigmas, 0.7)
    assert 4 < len(whole) < 60
    monkeypatch.setattr(nms, "_PAIRS_AT_ONCE", 10)
    np.testing.assert_array_equal(oks_nms(*scene, COCO_PERSON.oks_sigmas, 0.7), whole)


def test_the_same_person_in_two_images_stays_twice():
    keypoints = np.ones((3, 17, 2))
    kept = oks_nms(keypoints, np.array([0.2, 0.9, 0.5]), np.full(3, 100.0), np.array([5, 5, 3]), COCO_PERSON.oks_sigmas)
    assert kept.tolist() == [2, 1]


def test_fewer_keypoints_than_the_filter_takes():
    keypoints = np.array([[[10.0, 10]], [[10, 10]], [[50, 50]]])
    kept = oks_nms(keypoints, np.array([1.0, 2, 3]), np.full(3, 100.0), np.zeros(3, dtype=int), np.array([0.1]))
    assert kept.tolist() == [2, 1]


def test_rescore_takes_the_mean_of_confident_keypoints():
    keypoint_scores = np.array([[0.9, 0.5, 0.2, 0.1], [0.2, 0.1, 0.0, -1.0]])
    assert rescore(np.array([0.5, 1.0]), keypoint_scores).tolist() == pytest.approx([0.35, 0.0])
