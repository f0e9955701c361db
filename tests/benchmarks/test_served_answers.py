"""Answers of a server are put in the order of the boxes."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchmarks.served_answers import answered_keypoints
from transpose.data.boxes import ground_truth_boxes
from transpose.data.coco import load_annotations
from transpose.data.photographs import photographs_folder
from transpose.inference.named_poses import NamedPoint, NamedPose
from transpose.serving.limits import Limits
from transpose.skeleton import COCO_PERSON


def test_keypoints_are_in_the_order_of_boxes_and_requests_within_the_limit() -> None:
    annotations = load_annotations(photographs_folder() / "annotations.json", COCO_PERSON)
    known = ground_truth_boxes(annotations)
    # Many boxes of few images, mixed.
    boxes = known.select(np.random.default_rng(0).permutation(np.repeat(np.arange(8), 20)))
    boxes = replace(boxes, boxes_xywh=boxes.boxes_xywh + np.arange(len(boxes))[:, None])
    sent: list[int] = []

    def answer(data: bytes, found: np.ndarray) -> Sequence[NamedPose]:
        assert data.startswith(b"\xff\xd8")
        sent.append(len(found))
        return [
            # By name: the order of an answer's keypoints does not count.
            NamedPose(box=box, score=1, keypoints={name: NamedPoint(x=box[0], y=box[1], score=box[2]) for name in "ba"})
            for box in found.tolist()
        ]

    keypoints = answered_keypoints(answer, annotations, boxes, ("a", "b"))
    np.testing.assert_array_equal(keypoints, np.repeat(boxes.boxes_xywh[:, None, :3], 2, axis=1))
    assert sum(sent) == len(boxes)
    assert max(sent) == Limits().boxes
