"""The One-Euro filter follows its definition, rests where a person rests, and follows where one moves."""

import math
from dataclasses import replace

import numpy as np

from transpose.inference.poses import Poses
from transpose.inference.smoothing import PoseSmoother
from transpose.skeleton import COCO_PERSON


def person(xy: np.ndarray, number: int = 1) -> Poses:
    box = np.array([[0.0, 0, 50, 200]])
    return Poses(COCO_PERSON, xy[None], np.ones((1, 17)), np.ones(1), box, np.array([number]))


def filtered_one_by_one(values: list[float], rate: float, size: float) -> list[float]:
    """The filter of the paper, for one value; the speed is relative to the size."""

    def weight(cutoff: float) -> float:
        return 1 / (1 + rate / (2 * math.pi * cutoff))

    found, speed = [values[0]], 0.0
    for value in values[1:]:
        speed += weight(1.0) * ((value - found[-1]) * rate / size - speed)
        found.append(found[-1] + weight(0.05 + 80 * abs(speed)) * (value - found[-1]))
    return found


def smooth(track: np.ndarray, rate: float = 25.0) -> np.ndarray:
    """Filter the keypoints [frames, 17, 2] of a person."""
    smoother = PoseSmoother()
    return np.stack([smoother.smooth(person(xy), frame / rate).xy[0] for frame, xy in enumerate(track)])


def test_it_is_the_filter_of_the_paper() -> None:
    track = np.cumsum(np.random.default_rng(0).normal(0, 3, (30, 17, 2)), axis=0)
    expected = filtered_one_by_one(track[:, 4, 1].tolist(), 25.0, size=100)
    np.testing.assert_allclose(smooth(track)[:, 4, 1], expected, rtol=1e-9)


def test_a_resting_person_trembles_less_and_a_moving_one_is_not_late() -> None:
    noise = np.random.default_rng(0).normal(0, 0.3, (100, 17, 2))
    assert smooth(100 + noise)[20:].std() < 0.6 * noise[20:].std()
    moving = np.arange(100.0)[:, None, None] * 5 + np.zeros((100, 17, 2))
    assert np.abs(smooth(moving) - moving)[20:].max() < 1


def test_persons_are_filtered_each_on_its_own_and_start_again_after_a_second() -> None:
    smoother, first, second = PoseSmoother(), np.zeros((17, 2)), np.full((17, 2), 80.0)
    both = replace(person(first), xy=np.stack([first, second]), boxes=np.array([[0.0, 0, 50, 200]] * 2))
    both = replace(both, scores=np.ones((2, 17)), person_scores=np.ones(2), ids=np.array([1, 2]))
    np.testing.assert_array_equal(smoother.smooth(both, 0.0).xy, both.xy)
    turned = replace(both, ids=np.array([2, 1]), xy=both.xy[::-1])
    np.testing.assert_array_equal(smoother.smooth(turned, 0.04).xy, turned.xy)
    assert (smoother.smooth(person(second), 0.08).xy < second).any()
    np.testing.assert_array_equal(smoother.smooth(person(first, number=2), 1.2).xy[0], first)


def test_no_person_is_no_person() -> None:
    no_person = person(np.zeros((17, 2))).select(np.zeros(0, dtype=np.int64))
    assert len(PoseSmoother().smooth(no_person, 0.0)) == 0
