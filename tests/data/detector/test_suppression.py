"""Of overlapping boxes the best stays."""

import numpy as np

from transpose.data.detector.suppression import suppress

BOXES = np.array([[0, 0, 10, 10], [0, 0, 10, 5], [0, 5, 10, 10], [50, 50, 60, 60]], dtype=float)


def test_an_overlap_above_the_threshold_goes() -> None:
    # The halves overlap the whole box by exactly one half, and each other not at all.
    scores = np.array([0.5, 0.9, 0.8, 0.1])
    assert suppress(BOXES, scores, 0.5).tolist() == [1, 2, 0, 3]
    assert suppress(BOXES, scores, 0.49).tolist() == [1, 2, 3]
    assert suppress(BOXES, np.array([0.95, 0.9, 0.8, 0.1]), 0.49).tolist() == [0, 3]


def test_of_equals_the_first_stays() -> None:
    assert suppress(np.repeat(BOXES[:1], 3, axis=0), np.ones(3), 0.99).tolist() == [0]


def test_a_suppressed_box_suppresses_no_other() -> None:
    row = np.array([[0, 0, 10, 1], [3, 0, 13, 1], [6, 0, 16, 1]], dtype=float)
    assert suppress(row, np.array([0.9, 0.8, 0.7]), 0.5).tolist() == [0, 2]


def test_boxes_without_area_and_no_boxes() -> None:
    assert suppress(np.zeros((2, 4)), np.ones(2), 0.5).tolist() == [0, 1]
    assert suppress(np.empty((0, 4)), np.empty(0), 0.5).tolist() == []
