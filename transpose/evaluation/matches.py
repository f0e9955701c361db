"""Matches of predictions and persons: a small table from which average precision can be resampled."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from transpose.files import read_npz

STATISTICS = ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL")
"""COCO metrics in the order of the COCO evaluation: fractions, -1 without persons."""

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""OKS thresholds of the COCO evaluation."""

RECALLS = np.linspace(0.0, 1.0, 101)
"""Recall points at which the COCO evaluation samples the precision."""


@dataclass(frozen=True)
class MatchTable:
    """D predictions in I images, matched to annotated persons of one size range, at each of T OKS thresholds."""

    image_ids: np.ndarray
    """[I] int64, sorted: every image of the annotation file, also those without persons or predictions."""
    persons: np.ndarray
    """[I] int64: evaluated persons, with labelled keypoints and not a crowd."""
    images: np.ndarray
    """[D] int64: index of the prediction's image in `image_ids`; sorted."""
    scores: np.ndarray
    """[D] float64, descending within an image."""
    matched: np.ndarray
    """[D, T] bool: the prediction is matched to a person."""
    ignored: np.ndarray
    """[D, T] bool: the prediction is neither a true nor a false positive, for example on a crowd."""

    def __len__(self) -> int:
        return len(self.images)

    def accuracy(self, weights: np.ndarray) -> np.ndarray:
        """Return [S]; see `average_precisions`."""
        return average_precisions(self, weights)


def average_precisions(table: MatchTable, weights: np.ndarray) -> np.ndarray:
    """Compute the average precision of each sample of images: the mean over thresholds and recall points, as in COCO.

    An image of weight n counts as n copies. With all weights 1 the result is the COCO evaluation's AP.

    Args:
        weights: [S, I] integers: how often each of S samples contains each image.

    Returns:
        [S] float64 in [0, 1]; -1 for a sample without persons.
    """
    persons = weights @ table.persons
    total = np.zeros(len(weights))
    for precisions in _precisions(table, weights, persons):
        total += precisions.sum(axis=1)
    return np.where(persons > 0, total / (table.matched.shape[1] * len(RECALLS)), -1.0)


def precision_curves(table: MatchTable) -> np.ndarray:
    """Return the interpolated precision [T, R] at `RECALLS`, as `COCOeval.eval["precision"]`; -1 without persons."""
    if not table.persons.any():
        return np.full((table.matched.shape[1], len(RECALLS)), -1.0)
    once = np.ones((1, len(table.image_ids)), dtype=np.int64)
    return np.concatenate(list(_precisions(table, once, once @ table.persons)))


def recalls(table: MatchTable) -> np.ndarray:
    """Return the recall [T], as `COCOeval.eval["recall"]`; -1 without persons."""
    found = np.count_nonzero(table.matched & ~table.ignored, axis=0)
    persons = table.persons.sum()
    return found / persons if persons else np.full(len(found), -1.0)


def read_matches(path: Path) -> MatchTable:
    """Read a table from .npz, one array per field.

    Raises:
        InputError: the file is missing or is not such a table.
    """
    return MatchTable(**read_npz(path, [field.name for field in fields(MatchTable)], "table of matches"))


def _precisions(table: MatchTable, weights: np.ndarray, persons: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the interpolated precision [S, R] at `RECALLS` for each threshold, for samples with `persons` [S].

    Only true positives are evaluated: precision drops at every false positive, so its running maximum from the right
    and the first prediction that reaches a recall are always at true positives.
    """
    order = np.argsort(-table.scores, kind="stable")
    counts = weights.take(table.images[order], axis=1)
    total = np.cumsum(counts, axis=1)
    zero = np.zeros((len(counts), 1))
    for matched, ignored in zip(table.matched[order].T, table.ignored[order].T, strict=True):
        positives, skipped = np.flatnonzero(matched & ~ignored), np.flatnonzero(ignored)
        true_positives = np.cumsum(counts.take(positives, axis=1), axis=1)
        skipped_counts = np.concatenate((zero, np.cumsum(counts.take(skipped, axis=1), axis=1)), axis=1)
        counted = total.take(positives, axis=1) - skipped_counts.take(np.searchsorted(skipped, positives), axis=1)
        precision = true_positives / (counted + np.spacing(1))
        best_onwards = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        best_onwards = np.concatenate((best_onwards, zero), axis=1)
        recall = true_positives / np.maximum(persons, 1)[:, None]
        sampled = np.empty((len(counts), len(RECALLS)))
        for row, best, reached in zip(sampled, best_onwards, recall, strict=True):
            # All places are in range; `clip` only writes without a copy.
            best.take(reached.searchsorted(RECALLS), out=row, mode="clip")
        yield sampled
