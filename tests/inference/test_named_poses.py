"""Poses as JSON with named keypoints."""

import numpy as np

from transpose.inference.named_poses import named_poses
from transpose.inference.poses import Poses
from transpose.skeleton import COCO_PERSON


def test_each_keypoint_has_its_name_place_and_score() -> None:
    xy = np.arange(2 * 17 * 2, dtype=np.float64).reshape(2, 17, 2)
    scores = np.linspace(0, 1, 34).reshape(2, 17)
    boxes = np.array([[0, 1, 2, 3], [4, 5, 6, 7.5]])
    poses = named_poses(Poses(COCO_PERSON, xy, scores, np.array([0.25, 0.75]), boxes))
    assert [pose.box for pose in poses] == boxes.tolist()
    assert [pose.score for pose in poses] == [0.25, 0.75]
    for person, pose in enumerate(poses):
        assert list(pose.keypoints) == list(COCO_PERSON.keypoints)
        for index, point in enumerate(pose.keypoints.values()):
            assert [point.x, point.y, point.score] == [*xy[person, index], scores[person, index]]
