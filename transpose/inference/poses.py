"""Predicted poses of one image, and of a data set in the COCO results format."""

from dataclasses import dataclass, fields
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from transpose.data.coco import PERSON_CATEGORY
from transpose.errors import InputError
from transpose.skeleton import Skeleton

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class PoseResults:
    """N predicted persons with K keypoints each."""

    image_ids: np.ndarray
    """[N] int64."""
    keypoints: np.ndarray
    """[N, K, 3] float64: x, y in image pixels and the keypoint's score."""
    scores: np.ndarray
    """[N] float64 score of the person."""
    annotation_ids: np.ndarray | None = None
    """[N] int64: annotation of the box of each prediction; None unless requested."""

    def __len__(self) -> int:
        return len(self.image_ids)

    def select(self, chosen: np.ndarray) -> "PoseResults":
        """Return the persons at indices or a mask `chosen`."""
        ids = None if self.annotation_ids is None else self.annotation_ids[chosen]
        return PoseResults(self.image_ids[chosen], self.keypoints[chosen], self.scores[chosen], ids)

    @property
    def flat_keypoints(self) -> list[list[float]]:
        """N lists of x, y, score, x, y, score, ..., as in files."""
        return self.keypoints.reshape(len(self), 3 * self.keypoints.shape[1]).tolist()

    def to_coco(self) -> list[dict[str, Any]]:
        """Return N records in the COCO results format, with `annotation_id` if known."""
        records = [
            {"image_id": image_id, "category_id": PERSON_CATEGORY, "keypoints": keypoints, "score": score}
            for image_id, keypoints, score in zip(
                self.image_ids.tolist(), self.flat_keypoints, self.scores.tolist(), strict=True
            )
        ]
        if self.annotation_ids is not None:
            for record, annotation_id in zip(records, self.annotation_ids.tolist(), strict=True):
                record["annotation_id"] = annotation_id
        return records


@dataclass(frozen=True)
class Poses:
    """Poses in N boxes of one image, in the order of the boxes."""

    skeleton: Skeleton
    xy: np.ndarray
    """[N, K, 2] float64, image pixels."""
    scores: np.ndarray
    """[N, K] float64: heatmap maxima, the model's confidence in each keypoint."""
    person_scores: np.ndarray
    """[N] float64: score of each person from the evaluation protocol; the score of a given box counts as 1."""
    boxes: np.ndarray
    """[N, 4] float64: x, y, width, height in image pixels."""
    ids: np.ndarray | None = None
    """[N] int64: ids of the persons in a video; None for a single image."""

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def persons(self) -> list[int]:
        """The ids of the persons, or else 0 to N - 1."""
        return list(range(len(self))) if self.ids is None else self.ids.tolist()

    def select(self, rows: np.ndarray) -> "Poses":
        """Return the persons at indices or a mask `rows`."""
        ids = None if self.ids is None else self.ids[rows]
        return Poses(self.skeleton, self.xy[rows], self.scores[rows], self.person_scores[rows], self.boxes[rows], ids)

    @property
    def keypoints(self) -> dict[str, np.ndarray]:
        """[N, 2] float64 image pixels of each keypoint, by name."""
        return {name: self.xy[:, index] for index, name in enumerate(self.skeleton.keypoints)}

    def to_coco(self, image_id: int) -> list[dict[str, Any]]:
        """Return N records in the COCO results format."""
        keypoints = np.concatenate((self.xy, self.scores[..., None]), axis=2)
        return PoseResults(np.full(len(self), image_id), keypoints, self.person_scores).to_coco()

    def draw(self, image: np.ndarray, min_score: float = 0.2) -> np.ndarray:
        """Return the image [H, W, 3] uint8 RGB with limbs and keypoints, and ids if there are any; see `draw_persons`.

        Args:
            min_score: keypoints with a lower score are not drawn, nor are their limbs.
        """
        from transpose.inference.overlay import draw_persons  # loads OpenCV, which tables do without

        labels = [] if self.ids is None else [str(number) for number in self.persons]
        return draw_persons(image, self.xy, self.scores >= min_score, self.boxes, self.skeleton, labels)

    def to_pandas(self) -> "DataFrame":
        """Return a table with one row per keypoint: person, keypoint, x, y (image pixels) and score.

        Raises:
            InputError: pandas is not installed.
        """
        pandas = _library("pandas", "pip install 'transpose-pipeline[pipeline]'")
        count = len(self.skeleton)
        x, y = self.xy.reshape(-1, 2).T
        return pandas.DataFrame(
            {
                "person": np.repeat(np.array(self.persons, dtype=np.int64), count),
                "keypoint": list(self.skeleton.keypoints) * len(self),
                "x": x,
                "y": y,
                "score": self.scores.ravel(),
            }
        )

    def to_supervision(self) -> Any:
        """Return `supervision.KeyPoints`; `data` has the ids of persons in a video as `tracker_id`.

        Raises:
            InputError: supervision is not installed.
        """
        supervision = _library("supervision", "pip install supervision")
        # Version 0.29 renamed the field.
        names = {field.name for field in fields(supervision.KeyPoints)}
        score = "keypoint_confidence" if "keypoint_confidence" in names else "confidence"
        return supervision.KeyPoints(
            xy=self.xy.astype(np.float32),
            class_id=np.zeros(len(self), dtype=np.int64),
            data={} if self.ids is None else {"tracker_id": self.ids},
            **{score: self.scores.astype(np.float32)},
        )


def _library(name: str, command: str) -> Any:
    """Import a library that is not required.

    Raises:
        InputError: it is not installed.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError:
        raise InputError(f"is not installed: {command}", file=name) from None
