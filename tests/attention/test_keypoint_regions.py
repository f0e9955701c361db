"""Division of a crop by relation to a keypoint."""

import numpy as np
import pytest

from tests.attention.planted import DECOY, GRID, SEEKER, SEEKER_CELL, SKELETON, SOURCE, planted_truth
from transpose.attention.keypoint_regions import BodyPartRegions, NeighbourhoodRegions, part_membership
from transpose.attention.maps.grid import Grid
from transpose.attention.persons import GroundTruth
from transpose.skeleton import COCO_PERSON
from transpose.synthetic.part_labels import NO_PERSON, PARTS, PartLabels

CELLS = Grid(size=(8, 6), heatmap_size=(32, 24), input_size=(32, 24))
"""Cells of exactly 4x4 pixels."""
NOWHERE = np.full((17, 2), -100.0)
"""Predictions outside the crop, which have no `PLACE` cells."""


def members(keypoint: str, group: str) -> set[str]:
    row = part_membership(COCO_PERSON)[COCO_PERSON.index(keypoint), BodyPartRegions.groups.index(group) - 1]
    return {name for name, belongs in zip((*PARTS, "others", "background"), row, strict=True) if belongs}


def test_parts_that_meet_in_a_keypoint_belong_to_it_alone():
    assert members("left_wrist", "own_parts") == {"left_lower_arm"}
    assert members("left_wrist", "symmetric") == {"right_lower_arm"}
    assert members("left_wrist", "neighbours") == {"left_upper_arm"}
    assert members("right_knee", "own_parts") == {"right_thigh", "right_lower_leg"}
    assert members("right_knee", "symmetric") == {"left_thigh", "left_lower_leg"}
    assert members("right_knee", "neighbours") == {"torso"}
    assert members("left_hip", "symmetric") == {"right_thigh"}
    assert members("left_shoulder", "neighbours") == {"head", "left_lower_arm", "left_thigh"}


def test_the_head_has_no_mirror_partner():
    for keypoint in ("nose", "left_eye", "right_ear"):
        assert members(keypoint, "own_parts") == {"head"}
        assert members(keypoint, "symmetric") == set()
    assert members("left_ear", "neighbours") == {"torso", "left_upper_arm"}


def test_every_part_belongs_to_one_group_of_a_keypoint():
    assert (part_membership(COCO_PERSON).sum(axis=1) == 1).all()
    assert members("nose", "other_people") == {"others"}
    assert members("nose", "background") == {"background"}


@pytest.fixture
def labels() -> PartLabels:
    """One image of 32x24 pixels: left arm above, right arm below it, another person's head, the rest background."""
    parts = np.full((1, 32, 24), NO_PERSON, dtype=np.uint8)
    owners = np.full((1, 32, 24), NO_PERSON, dtype=np.uint8)
    for rows, part, owner in ((slice(0, 4), "left_lower_arm", 0), (slice(4, 10), "right_lower_arm", 0)):
        parts[0, rows, :12], owners[0, rows, :12] = PARTS.index(part), owner
    parts[0, 16:20, :8], owners[0, 16:20, :8] = PARTS.index("head"), 1
    return PartLabels(np.array([7]), parts, owners, np.array([70, 71]), np.array([0, 0]), np.array([0, 1]))


def truth(annotation_id: int, shift: tuple[float, float] = (0, 0)) -> GroundTruth:
    return GroundTruth(
        image_ids=np.array([7]),
        annotation_ids=np.array([annotation_id]),
        affines=np.array([[[1.0, 0, shift[0]], [0, 1, shift[1]]]]),
        keypoints_xy=np.zeros((1, 17, 2)),
        visibility=np.full((1, 17), 2),
        areas=np.ones(1),
    )


def shares_of(
    regions: BodyPartRegions, person: GroundTruth, keypoint: str, found_xy: np.ndarray = NOWHERE
) -> dict[str, np.ndarray]:
    shares = regions.of(person, found_xy)[COCO_PERSON.index(keypoint)]
    np.testing.assert_allclose(shares.sum(axis=0), 1)
    return {name: share.reshape(CELLS.size) for name, share in zip(regions.groups, shares, strict=True)}


def test_cells_are_shared_by_what_their_pixels_show(labels: PartLabels):
    wrist = shares_of(BodyPartRegions(labels, CELLS, COCO_PERSON, 0.2), truth(70), "left_wrist")
    assert (wrist["own_parts"][0, :3] == 1).all()
    assert wrist["own_parts"].sum() == 3
    assert wrist["symmetric"][1:3, :3].tolist() == [[1] * 3, [0.5] * 3]
    assert wrist["other_people"].sum() == 2
    assert wrist["neighbours"].sum() == 0
    assert wrist["background"].sum() == 48 - 3 - 4.5 - 2


def test_the_place_of_a_keypoint_is_a_group_of_its_own_whatever_is_seen_there(labels: PartLabels):
    # Found on the other arm, which hides it.
    found = np.tile((5.5, 5.5), (17, 1))
    wrist = shares_of(BodyPartRegions(labels, CELLS, COCO_PERSON, 0.2), truth(70), "left_wrist", found)
    assert np.argwhere(wrist["place"]).tolist() == [[0, 1], [1, 0], [1, 1], [1, 2], [2, 1]]
    assert wrist["own_parts"].sum() == 2
    assert wrist["symmetric"].sum() == 2 * 0.5


def test_another_person_sees_the_first_as_another_person(labels: PartLabels):
    nose = shares_of(BodyPartRegions(labels, CELLS, COCO_PERSON, 0.2), truth(71), "nose")
    assert nose["own_parts"].sum() == 2
    assert nose["other_people"].sum() == 3 + 4.5


def test_the_crop_moves_the_labels_and_what_is_outside_of_the_image_is_background(labels: PartLabels):
    wrist = shares_of(BodyPartRegions(labels, CELLS, COCO_PERSON, 0.2), truth(70, (4, 8)), "left_wrist")
    assert np.argwhere(wrist["own_parts"] == 1).tolist() == [[2, 1], [2, 2], [2, 3]]
    assert (wrist["background"][:2] == 1).all()


def test_a_grid_of_many_cells_is_counted_right(labels: PartLabels):
    grid = Grid(size=(32, 24), heatmap_size=(32, 24), input_size=(32, 24))
    shares = BodyPartRegions(labels, grid, COCO_PERSON, 0.2).of(truth(70), NOWHERE)
    assert shares[COCO_PERSON.index("left_wrist"), 1].sum() == 48


def test_without_labels_neighbourhoods_of_labelled_keypoints_stand_for_parts():
    person, regions = planted_truth(), NeighbourhoodRegions(GRID, SKELETON, 0.2)
    shares = regions.of(person, person.keypoints_xy[0])
    groups = regions.groups
    assert shares.shape == (3, len(groups), GRID.tokens)
    np.testing.assert_array_equal(shares.sum(axis=1), 1)
    place = shares[:, groups.index("place")]
    np.testing.assert_array_equal(shares[SEEKER, groups.index("neighbours")], place[SOURCE])
    np.testing.assert_array_equal(shares[SEEKER, groups.index("other_keypoints")], place[DECOY])
    assert place[SEEKER].sum() == 5
    assert not shares[:, groups.index("symmetric")].any()
    person.visibility[0, SOURCE] = 0
    assert not regions.of(person, person.keypoints_xy[0])[SEEKER, groups.index("neighbours")].any()


def test_a_keypoint_found_elsewhere_is_no_other_keypoint():
    person, regions = planted_truth(), NeighbourhoodRegions(GRID, SKELETON, 0.2)
    shares = regions.of(person, person.keypoints_xy[0, [DECOY, SOURCE, DECOY]])
    assert shares[SEEKER, regions.groups.index("place")].argmax() == shares[DECOY, 0].argmax()
    assert not shares[SEEKER, regions.groups.index("other_keypoints")].any()
    assert shares[SEEKER, regions.groups.index("elsewhere"), SEEKER_CELL] == 1


def test_keypoints_at_one_place_share_no_cell_twice():
    person = truth(70)
    person.keypoints_xy[:] = (10.0, 10.0)
    shares = NeighbourhoodRegions(GRID, COCO_PERSON, 0.2).of(person, person.keypoints_xy[0])
    np.testing.assert_array_equal(shares.sum(axis=1), 1)
    assert (shares[:, 0].sum(axis=1) > 0).all()
    assert not shares[:, 1:4].any()
