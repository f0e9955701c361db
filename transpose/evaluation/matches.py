"""Which predictions found somebody: all that average precision needs, small enough to resample."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from transpose.files import read_npz

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""OKS thresholds of the COCO evaluation."""

RECALLS = np.linspace(0.0, 1.0, 101)
"""Recall points at which the COCO evaluation reads the precision."""


@dataclass(frozen=True)
class MatchTable:
    """D predictions in I images, matched to annotated persons, of one range of sizes, at each of T OKS thresholds."""

    image_ids: np.ndarray
    """[I] int64, sorted: every image of the annotation file, also those without persons or predictions."""
    persons: np.ndarray
    """[I] int64 persons that count: with labelled keypoints and no crowd."""
    images: np.ndarray
    """[D] int64 position of the prediction's image in `image_ids`; sorted."""
    scores: np.ndarray
    """[D] float64; falling within an image."""
    matched: np.ndarray
    """[D, T] bool: the prediction found a person."""
    ignored: np.ndarray
    """[D, T] bool: the prediction counts neither as right nor as wrong, for example on a crowd."""

    def __len__(self) -> int:
        return len(self.images)

    def accuracy(self, weights: np.ndarray) -> np.ndarray:
        """[S]: see `average_precisions`."""
        return average_precisions(self, weights)


def average_precisions(table: MatchTable, weights: np.ndarray) -> np.ndarray:
    """Average precision of each sample of images, mean over thresholds and recall points as the COCO evaluation's.

    An image of weight n counts as n copies of it would. With weights of one the figure is the COCO evaluation's AP.

    Args:
        weights: [S, I] integers: how often each image is in each of S samples.

    Returns:
        [S] float64 in [0, 1]; -1 for a sample without persons.
    """
    persons = weights @ table.persons
    total = np.zeros(len(weights))
    for precisions in _precisions(table, weights, persons):
        total += precisions.sum(axis=1)
    return np.where(persons > 0, total / (table.matched.shape[1] * len(RECALLS)), -1.0)


def precision_curves(table: MatchTable) -> np.ndarray:
    """[T, R]: interpolated precision at `RECALLS`, as the COCO evaluation's `eval["precision"]`; -1 without persons."""
    if not table.persons.any():
        return np.full((table.matched.shape[1], len(RECALLS)), -1.0)
    once = np.ones((1, len(table.image_ids)), dtype=np.int64)
    return np.concatenate(list(_precisions(table, once, once @ table.persons)))


def recalls(table: MatchTable) -> np.ndarray:
    """[T]: share of the persons that were found, as the COCO evaluation's `eval["recall"]`; -1 without persons."""
    found = np.count_nonzero(table.matched & ~table.ignored, axis=0)
    persons = table.persons.sum()
    return found / persons if persons else np.full(len(found), -1.0)


def read_matches(path: Path) -> MatchTable:
    """Read a table from .npz, one array a field.

    Raises:
        InputError: the file is missing or is no such table.
    """
    return MatchTable(**read_npz(path, [field.name for field in fields(MatchTable)], "table of matches"))


def _precisions(table: MatchTable, weights: np.ndarray, persons: np.ndarray) -> Iterator[np.ndarray]:
    """For each threshold [S, R]: the interpolated precision at `RECALLS`, for samples of `persons` [S].

    Dtype falls at every wrong prediction, so its running maximum from the right, and the first place that reaches a
    recall, are found at right ones: only these are looked at.
    """
    order = np.argsort(-table.scores, kind="stable")
    counts = weights.take(table.images[order], axis=1)
    seen = np.cumsum(counts, axis=1)
    nothing = np.zeros((len(counts), 1))
    for matched, ignored in zip(table.matched[order].T, table.ignored[order].T, strict=True):
        found, aside = np.flatnonzero(matched & ~ignored), np.flatnonzero(ignored)
        right = np.cumsum(counts.take(found, axis=1), axis=1)
        passed_over = np.concatenate((nothing, np.cumsum(counts.take(aside, axis=1), axis=1)), axis=1)
        counted = seen.take(found, axis=1) - passed_over.take(np.searchsorted(aside, found), axis=1)
        precision = right / (counted + np.spacing(1))
        best_onwards = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        best_onwards = np.concatenate((best_onwards, nothing), axis=1)
        recall = right / np.maximum(persons, 1)[:, None]
        yield np.stack(
            [best[np.searchsorted(reached, RECALLS)] for best, reached in zip(best_onwards, recall, strict=True)]
        )
