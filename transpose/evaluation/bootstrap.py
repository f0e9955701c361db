"""Bootstrap intervals of AP and PCKh over images (Efron's percentile bootstrap)."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np

_CELLS_AT_ONCE = 4_000_000


class PerImageTable(Protocol):
    """Evaluation results per image, from which the metric of any sample of the I images can be computed."""

    @property
    def image_ids(self) -> np.ndarray:
        """[I] int64."""
        ...

    @property
    def persons(self) -> np.ndarray:
        """[I] int64: evaluated persons per image."""
        ...

    def __len__(self) -> int:
        """Return the number of rows of the table."""
        ...

    def accuracy(self, weights: np.ndarray) -> np.ndarray:
        """Return the metric [S] of samples that contain each image weights [S, I] times; -1 without persons."""
        ...


def bootstrap_interval(table: PerImageTable, samples: int, seed: int, level: float = 0.95) -> tuple[float, float]:
    """Compute the percentile interval of a table's metric over resampled images.

    Args:
        samples: number of resamples; those without any person are skipped.
        seed: random seed; equal seeds draw the same images if the number of images is the same.
        level: confidence level.

    Returns:
        (low, high) as fractions; (-1, -1), as the COCO evaluation, if no image has a person.
    """
    values = np.concatenate([table.accuracy(weights) for weights in _resamples(table, samples, seed)])
    return _interval(values[values >= 0], level)


def paired_difference(
    table_a: PerImageTable, table_b: PerImageTable, samples: int, seed: int, level: float = 0.95
) -> tuple[float, float, float]:
    """Compute the metric of `table_a` minus that of `table_b`, and its percentile interval with shared resamples.

    Returns:
        (difference, low, high) as fractions; all 0 if no image has a person.

    Raises:
        ValueError: the tables are not of the same images and persons.
    """
    same = np.array_equal(table_a.image_ids, table_b.image_ids) and np.array_equal(table_a.persons, table_b.persons)
    if not same:
        raise ValueError("a paired difference needs the same images and persons in both tables")
    once = np.ones((1, len(table_a.image_ids)), dtype=np.int64)
    difference = table_a.accuracy(once)[0] - table_b.accuracy(once)[0]
    blocks = [table_a.accuracy(weights) - table_b.accuracy(weights) for weights in _resamples(table_a, samples, seed)]
    return float(difference), *_interval(np.concatenate(blocks), level)


def _resamples(table: PerImageTable, samples: int, seed: int) -> Iterator[np.ndarray]:
    """Yield blocks [S, I] of image counts; the block size limits memory and does not change the samples."""
    images = len(table.image_ids)
    if not images:
        yield np.zeros((samples, 0), dtype=np.int64)
        return
    rng = np.random.default_rng(seed)
    at_once = max(1, _CELLS_AT_ONCE // max(len(table), images))
    for start in range(0, samples, at_once):
        yield rng.multinomial(images, np.full(images, 1 / images), size=min(at_once, samples - start))


def _interval(values: np.ndarray, level: float) -> tuple[float, float]:
    if not len(values):
        return -1.0, -1.0
    low, high = np.quantile(values, ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)
