"""Persons keep their ids from frame to frame, also when they pass each other or are not found for a while."""

import numpy as np

from transpose.inference.person_tracks import PersonTracks
from transpose.inference.poses import Poses
from transpose.skeleton import COCO_PERSON

BODY = np.random.default_rng(0).uniform((0, 0), (40, 100), (17, 2))


def poses(*places: tuple[float, float], found: int = 17) -> Poses:
    """Persons of 40 x 100 pixels at places (x, y); the first `found` keypoints are confident."""
    xy = np.array([BODY + place for place in places]).reshape(-1, 17, 2)
    scores = np.tile(np.where(np.arange(17) < found, 0.9, 0.05), (len(places), 1))
    boxes = np.array([[*place, 40, 100] for place in places], dtype=float).reshape(-1, 4)
    return Poses(COCO_PERSON, xy, scores, np.ones(len(places)), boxes)


def tracks() -> PersonTracks:
    return PersonTracks(COCO_PERSON, 0.2)


def ids(found: Poses) -> list[int]:
    return found.persons


def test_the_order_of_persons_does_not_matter() -> None:
    track = tracks()
    assert ids(track.update(poses((0, 0), (200, 0)))) == [1, 2]
    assert ids(track.update(poses((202, 1), (3, 0)))) == [2, 1]
    assert ids(track.update(poses((204, 2), (400, 0), (6, 0)))) == [2, 3, 1]


def test_persons_who_pass_through_each_other_keep_their_ids() -> None:
    track, rng = tracks(), np.random.default_rng(1)
    for frame in range(60):
        places = [(5.0 * frame, 0.0), (295 - 5.0 * frame, 4.0)]
        order = rng.permutation(2)
        found = track.update(poses(*[places[person] for person in order]))
        assert ids(found) == (order + 1).tolist()


def test_one_person_in_front_of_another_does_not_take_its_id() -> None:
    track, found = tracks(), poses()
    for frame in range(60):
        places = [(5.0 * frame, 0.0), (295 - 5.0 * frame, 4.0)]
        # The person behind is not found, and then only in the shape of the one in front.
        if 24 <= frame <= 35:
            places[1:] = [] if frame % 2 else [(5.0 * frame + 1, 0.0)]
        found = track.update(poses(*places))
    assert ids(found) == [1, 2]


def test_a_person_who_was_away_for_long_is_a_new_one() -> None:
    track = tracks()
    track.update(poses((0, 0)))
    for _ in range(30):
        track.update(poses())
    assert ids(track.update(poses((0, 0)))) == [1]
    for _ in range(31):
        track.update(poses())
    assert ids(track.update(poses((0, 0)))) == [2]


def test_with_few_confident_keypoints_boxes_are_compared() -> None:
    track = tracks()
    track.update(poses((0, 0), (200, 0), found=2))
    assert ids(track.update(poses((195, 0), (5, 0), found=2))) == [2, 1]


class TestFollowing:
    SIZE = (200, 400)

    def test_the_box_encloses_the_keypoints_and_moves_on(self) -> None:
        track = tracks()
        for x in (100, 110):
            track.update(poses((x, 50)))
        start, sides = BODY.min(axis=0) + np.array((110, 50)), np.ptp(BODY, axis=0)
        expected = np.concatenate([start - 0.15 * sides + np.array((10, 0)), 1.3 * sides])
        np.testing.assert_allclose(track.expected_boxes(self.SIZE), [expected])

    def test_a_box_with_few_keypoints_keeps_its_size(self) -> None:
        track = tracks()
        track.update(poses((100, 50), found=10))
        for x in range(105, 140, 5):
            track.follow(poses((x, 50), found=10))
        np.testing.assert_allclose(track.expected_boxes(self.SIZE), [[140, 50, 40, 100]])

    def test_persons_outside_are_not_looked_for(self) -> None:
        track = tracks()
        track.update(poses((350, 50)))
        for x in range(360, 401, 10):
            assert len(track.expected_boxes(self.SIZE)) == 1
            track.follow(poses((x, 50)))
        assert len(track.expected_boxes(self.SIZE)) == 0

    def test_two_boxes_of_one_person_are_one_person(self) -> None:
        track = tracks()
        track.update(poses((0, 0), (60, 0)))
        track.update(poses((5, 0), (55, 0)))
        found = track.follow(poses((10, 0), (12, 0)))
        assert ids(found) == [1]
        np.testing.assert_array_equal(found.xy, poses((10, 0)).xy)

    def test_what_resembles_no_person_is_left_out(self) -> None:
        track = tracks()
        track.update(poses((0, 0)))
        assert ids(track.follow(poses((300, 0), (2, 0)))) == [1]
        assert ids(track.follow(poses((4, 0), found=2))) == []
        assert ids(track.follow(poses())) == []
        assert ids(track.follow(poses((8, 0)))) == [1]
