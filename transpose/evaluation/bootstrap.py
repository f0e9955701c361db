"""Bootstrap of AP and PCKh over images."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from transpose.evaluation.intervals import LEVEL, Resamples

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


def bootstrap_interval(table: PerImageTable, samples: int, seed: int, level: float = LEVEL) -> tuple[float, float]:
    """Compute the interval of one training's metric over images; see `Resamples`.

    Args:
        samples: number of resamples; those without any person are skipped.
        seed: random seed; equal seeds draw the same images if the number of images is the same.
        level: confidence level.

    Returns:
        (low, high) as fractions; (-1, -1), as the COCO evaluation, if fewer than two images have persons.
    """
    return resample(table, samples, seed).interval_of_fraction(level) or (-1.0, -1.0)


def resample(table: PerImageTable, samples: int, seed: int) -> Resamples:
    """Compute one training's metric on all images and on resamples of them; see `bootstrap_interval`."""
    once = np.ones((1, len(table.image_ids)), dtype=np.int64)
    value = table.accuracy(once)
    draws = np.concatenate([table.accuracy(weights) for weights in _resamples(table, samples, seed)])
    value, draws = (np.where(metric >= 0, metric, np.nan) for metric in (value, draws))
    return Resamples(value, draws[None], int((table.persons > 0).sum()))


def paired_difference(table_a: PerImageTable, table_b: PerImageTable, samples: int, seed: int) -> Resamples:
    """Compute the metric of `table_a` minus that of `table_b` on all images and on shared resamples of them.

    Raises:
        ValueError: the tables are not of the same images and persons.
    """
    require_same_images(table_a, table_b)
    return resample(table_a, samples, seed).minus(resample(table_b, samples, seed))


def require_same_images(table_a: PerImageTable, table_b: PerImageTable) -> None:
    """Check that two tables have the same images and persons.

    Raises:
        ValueError: they differ.
    """
    same = np.array_equal(table_a.image_ids, table_b.image_ids) and np.array_equal(table_a.persons, table_b.persons)
    if not same:
        raise ValueError("a paired difference needs the same images and persons in both tables")


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
