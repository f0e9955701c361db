"""Poses drawn on their image."""

import numpy as np

from transpose.inference.overlay import draw_persons
from transpose.skeleton import COCO_PERSON

LEFT_WRIST, LEFT_ELBOW, LEFT_SHOULDER = (COCO_PERSON.index(f"left_{part}") for part in ("wrist", "elbow", "shoulder"))
IMAGE = np.full((80, 220, 3), 90, dtype=np.uint8)
BOX = [10.0, 10, 180, 60]
ARM = [LEFT_WRIST, LEFT_ELBOW, LEFT_SHOULDER]


def drawn(box: list[float], keypoints: list[int], label: str | None = None) -> np.ndarray:
    """A person whose keypoints are in a row of 10 pixels."""
    xy = np.stack([20 + 10 * np.arange(17), np.full(17, 40)], axis=1)[None].astype(float)
    is_drawn = np.isin(np.arange(17), keypoints)[None]
    return draw_persons(IMAGE, xy, is_drawn, np.array([box]), COCO_PERSON, [] if label is None else [label])


def test_drawn_keypoints_have_limbs_and_others_are_not_there() -> None:
    image = drawn(BOX, ARM)
    columns = np.flatnonzero((image != IMAGE).any(axis=(0, 2)))
    shoulder, wrist = (20 + 10 * keypoint for keypoint in (LEFT_SHOULDER, LEFT_WRIST))
    assert abs(columns.min() - shoulder) <= 5
    assert abs(columns.max() - wrist) <= 5
    # Between elbow and shoulder there is a limb.
    assert set(range(shoulder, wrist)) <= set(columns.tolist())
    assert (IMAGE == 90).all()


def test_nothing_is_drawn_of_a_person_without_keypoints() -> None:
    np.testing.assert_array_equal(drawn(BOX, [], label="7"), IMAGE)


def test_left_is_orange_and_larger_persons_have_wider_lines() -> None:
    assert drawn(BOX, ARM)[40, 20 + 10 * LEFT_WRIST].tolist() == [230, 159, 0]
    small, large = (drawn([0.0, 0, side, side], ARM) for side in (20, 300))
    heights = [np.flatnonzero((image != IMAGE).any(axis=(1, 2))).size for image in (small, large)]
    assert heights[0] < heights[1]


def test_a_label_is_above_the_keypoints() -> None:
    plain, labelled = drawn(BOX, ARM), drawn(BOX, ARM, label="7")
    rows = np.flatnonzero((plain != labelled).any(axis=(1, 2)))
    assert len(rows)
    assert rows.max() < 40
