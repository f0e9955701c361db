"""Which images' keypoints were found: all that PCKh needs, small enough to resample."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from transpose.files import read_npz


@dataclass(frozen=True)
class KeypointHits:
    """Labelled keypoints of I images, and how many of them were found."""

    image_ids: np.ndarray
    """[I] int64, sorted: every image of the annotation file."""
    persons: np.ndarray
    """[I] int64 persons that count."""
    keypoints: np.ndarray
    """[I] int64 labelled keypoints that count."""
    found: np.ndarray
    """[I] int64 of them found within half a head size."""

    @classmethod
    def of_persons(
        cls, image_ids: np.ndarray, person_images: np.ndarray, labelled: np.ndarray, found: np.ndarray
    ) -> "KeypointHits":
        """Sum persons with image ids [N] and labelled and found keypoints [N, K] over all images [I], in any order."""
        images = np.sort(image_ids)
        position = np.searchsorted(images, person_images)

        def total(values: np.ndarray) -> np.ndarray:
            return np.bincount(position, values, minlength=len(images)).astype(np.int64)

        return cls(images, total(np.ones(len(position))), total(labelled.sum(axis=1)), total(found.sum(axis=1)))

    def __len__(self) -> int:
        return len(self.image_ids)

    def accuracy(self, weights: np.ndarray) -> np.ndarray:
        """[S]: PCKh of samples in which images come weights [S, I] times; -1 for one without labelled keypoints."""
        keypoints = weights @ self.keypoints
        return np.where(keypoints > 0, (weights @ self.found) / np.maximum(keypoints, 1), -1.0)


def read_hits(path: Path) -> KeypointHits:
    """Read a table from .npz, one array a field.

    Raises:
        InputError: the file is missing or is no such table.
    """
    return KeypointHits(**read_npz(path, [field.name for field in fields(KeypointHits)], "table of keypoints"))
