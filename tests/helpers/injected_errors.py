"""Made-up persons with 5, 17 or 21 keypoints, exact predictions of them, and edits that inject one error each."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tests.helpers.torso_data import TORSO
from transpose.data.coco import CocoAnnotations, ImageTable, PersonInstances
from transpose.inference.poses import PoseResults
from transpose.skeleton import COCO_PERSON, Skeleton

_PAIRS = tuple((f"left_{number}", f"right_{number}") for number in range(10))

PAIRED_21 = Skeleton(
    name="paired_21",
    keypoints=("middle", *(name for pair in _PAIRS for name in pair)),
    flip_pairs=_PAIRS,
    limbs=(),
    sigmas=(0.05,) * 21,
    joint_weights=(1.0,) * 21,
    upper_body=(),
)

SKELETONS = (TORSO, COCO_PERSON, PAIRED_21)

AREA = 10_000.0
_SPACING = 100.0
"""Pixels between keypoints: far more than the OKS deviation of any, at most 21 pixels."""
_PERSONS_PER_IMAGE = 2


@dataclass(frozen=True)
class Scene:
    """Annotations and predictions; prediction n is of person n, with a score that falls with n."""

    annotations: CocoAnnotations
    results: PoseResults
    skeleton: Skeleton

    def moved(self, person: int, keypoint: int, to_xy: np.ndarray) -> "Scene":
        """Move one predicted keypoint."""
        keypoints = self.results.keypoints.copy()
        keypoints[person, keypoint, :2] = to_xy
        return replace(self, results=replace(self.results, keypoints=keypoints))

    def truth(self, person: int, keypoint: int) -> np.ndarray:
        """Return the annotated position [2] of a keypoint."""
        return self.annotations.persons.keypoints[person, keypoint, :2]

    def jittered(self, person: int, keypoint: int, similarity: float = 0.7) -> "Scene":
        """Move a predicted keypoint to a similarity with its own annotation."""
        deviation = np.sqrt(AREA) * 2 * self.skeleton.oks_sigmas[keypoint]
        offset = np.array([deviation * np.sqrt(-2 * np.log(similarity)), 0])
        return self.moved(person, keypoint, self.truth(person, keypoint) + offset)

    def inverted(self, person: int, keypoint: int) -> "Scene":
        """Exchange a predicted keypoint with its mirrored keypoint: two errors."""
        mirrored = int(self.skeleton.flip_permutation[keypoint])
        scene = self.moved(person, keypoint, self.truth(person, mirrored))
        return scene.moved(person, mirrored, self.truth(person, keypoint))

    def swapped(self, person: int, keypoint: int) -> "Scene":
        """Move a predicted keypoint to that of the other person in the image."""
        return self.moved(person, keypoint, self.truth(person ^ 1, keypoint))

    def missed(self, person: int, keypoint: int) -> "Scene":
        """Move a predicted keypoint to where there is no keypoint."""
        return self.moved(person, keypoint, np.array([-500.0, -500.0]))

    def with_prediction(self, like: int, score: float, offset: float = 0.0) -> "Scene":
        """Add a copy of a prediction, moved by `offset` pixels in x and y."""
        results = self.results
        more = results.keypoints[[like]] + np.array([offset, offset, 0])
        added = PoseResults(
            np.append(results.image_ids, results.image_ids[like]),
            np.concatenate((results.keypoints, more)),
            np.append(results.scores, score),
        )
        return replace(self, results=added)

    def without_prediction(self, person: int) -> "Scene":
        """Remove the prediction of a person."""
        return replace(self, results=self.results.select(np.arange(len(self.results)) != person))


def exact_scene(skeleton: Skeleton, images: int = 10) -> Scene:
    """Two persons in each image whose keypoints are far apart, predicted exactly."""
    count, keypoints = images * _PERSONS_PER_IMAGE, len(skeleton)
    columns = int(np.ceil(np.sqrt(keypoints)))
    grid = np.stack((np.arange(keypoints) % columns, np.arange(keypoints) // columns), axis=1) * _SPACING
    corners = np.tile([[50.0, 50.0], [1050.0, 50.0]], (images, 1))
    points = corners[:, None] + grid
    ids = np.arange(1, images + 1)
    persons = PersonInstances(
        image_ids=np.repeat(ids, _PERSONS_PER_IMAGE),
        annotation_ids=np.arange(1, count + 1),
        boxes_xywh=np.concatenate((corners - 20, np.full((count, 2), columns * _SPACING)), axis=1),
        keypoints=np.concatenate((points, np.full((count, keypoints, 1), 2.0)), axis=2),
        areas=np.full(count, AREA),
        is_crowd=np.zeros(count, dtype=bool),
    )
    images_table = ImageTable(
        ids, [f"{number}.jpg" for number in ids], np.tile(np.array([1200, 2000], dtype=np.int32), (images, 1))
    )
    scores = np.linspace(0.9, 0.5, count)
    predicted = np.concatenate((points, np.broadcast_to(scores[:, None, None], (count, keypoints, 1))), axis=2)
    results = PoseResults(persons.image_ids, predicted, scores)
    return Scene(CocoAnnotations(Path("annotations.json"), images_table, persons), results, skeleton)
