"""Counts of correct keypoints per image: a small table from which PCKh can be resampled."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from transpose.files import read_npz


@dataclass(frozen=True)
class KeypointHits:
    """Labelled and correct keypoints of I images."""

    image_ids: np.ndarray
    """[I] int64, sorted: every image of the annotation file."""
    persons: np.ndarray
    """[I] int64: evaluated persons."""
    keypoints: np.ndarray
    """[I] int64: labelled keypoints of these persons."""
    found: np.ndarray
    """[I] int64: keypoints predicted within half a head size."""

    @classmethod
    def of_persons(
        cls, image_ids: np.ndarray, person_images: np.ndarray, labelled: np.ndarray, found: np.ndarray
    ) -> "KeypointHits":
        """Sum labelled and found keypoints [N, K] of persons in images [N] over all images [I], given in any order."""
        images = np.sort(image_ids)
        position = np.searchsorted(images, person_images)

        def total(values: np.ndarray) -> np.ndarray:
            return np.bincount(position, values, minlength=len(images)).astype(np.int64)

        return cls(images, total(np.ones(len(position))), total(labelled.sum(axis=1)), total(found.sum(axis=1)))

    def __len__(self) -> int:
        return len(self.image_ids)

    def accuracy(self, weights: np.ndarray) -> np.ndarray:
        """Return PCKh [S] of samples that contain each image weights [S, I] times; -1 without labelled keypoints."""
        keypoints = weights @ self.keypoints
        return np.where(keypoints > 0, (weights @ self.found) / np.maximum(keypoints, 1), -1.0)


def read_hits(path: Path) -> KeypointHits:
    """Read a table from .npz, one array per field.

    Raises:
        InputError: the file is missing or is not such a table.
    """
    return KeypointHits(**read_npz(path, [field.name for field in fields(KeypointHits)], "table of keypoints"))
