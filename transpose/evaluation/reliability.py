"""Reliability of scores: how far they are from what they predict, with an interval over images."""

from dataclasses import dataclass

import numpy as np
from pydantic import NonNegativeInt

from transpose.config.base import Settings
from transpose.config.bootstrap import Bootstrap
from transpose.evaluation.bootstrap import resample
from transpose.evaluation.intervals import Estimate

BINS = 10
"""Bins of equal width over [0, 1]."""

_COUNT, _SCORE, _TRUTH = range(3)


class ReliabilityBin(Settings):
    """The values of one bin of scores; the means are None if it is empty."""

    count: NonNegativeInt
    mean_score: float | None
    mean_truth: float | None
    """Mean of what the scores predict, for example the OKS."""


class Reliability(Settings):
    """A reliability diagram and the expected calibration error."""

    ece: Estimate
    """Mean over bins, weighted by their counts, of |mean score - mean truth| (Guo et al., ICML 2017)."""
    bins: tuple[ReliabilityBin, ...]
    """`BINS` bins in the order of scores."""


@dataclass(frozen=True)
class ReliabilityTable:
    """Sums per image and bin, from which the calibration error of any sample of the I images can be computed."""

    image_ids: np.ndarray
    """[I] int64."""
    sums: np.ndarray
    """[I, BINS, 3] float64: count, sum of scores, sum of what they predict."""

    @classmethod
    def of(cls, image_ids: np.ndarray, images: np.ndarray, scores: np.ndarray, truth: np.ndarray) -> "ReliabilityTable":
        """Sort N scores into bins.

        Args:
            image_ids: [I] of all images.
            images: [N] index into `image_ids`.
            scores: [N] in [0, 1].
            truth: [N] in [0, 1].
        """
        bins = np.minimum((scores * BINS).astype(np.int64), BINS - 1)
        sums = np.zeros((len(image_ids), BINS, 3))
        for column, values in ((_COUNT, np.ones(len(scores))), (_SCORE, scores), (_TRUTH, truth)):
            np.add.at(sums[..., column], (images, bins), values)
        return cls(image_ids, sums)

    @property
    def persons(self) -> np.ndarray:
        """[I] int64: values per image."""
        return self.sums[..., _COUNT].sum(axis=1).astype(np.int64)

    def __len__(self) -> int:
        return len(self.image_ids)

    def accuracy(self, weights: np.ndarray) -> np.ndarray:
        """Return the expected calibration error [S] of samples with weights [S, I] of the images; -1 without values."""
        totals = (weights @ self.sums.reshape(len(self.sums), 3 * BINS)).reshape(-1, BINS, 3)
        errors = np.abs(totals[..., _SCORE] - totals[..., _TRUTH]).sum(axis=1)
        counts = totals[..., _COUNT].sum(axis=1)
        return np.where(counts > 0, errors / np.maximum(counts, 1), -1.0)

    def reliability(self, bootstrap: Bootstrap) -> Reliability:
        """Return the diagram, and the error with an interval over images."""
        resamples = resample(self, bootstrap.samples, bootstrap.seed)
        low, high = resamples.interval_of_fraction(bootstrap.level) or (None, None)
        error = Estimate(
            value=resamples.value, low=low, high=high, count=int(self.persons.sum()), images=resamples.images
        )
        return Reliability(ece=error.with_draws(resamples.draws[0]), bins=tuple(map(_bin, self.sums.sum(axis=0))))


def _bin(sums: np.ndarray) -> ReliabilityBin:
    count, score, truth = sums.tolist()
    if not count:
        return ReliabilityBin(count=0, mean_score=None, mean_truth=None)
    return ReliabilityBin(count=int(count), mean_score=score / count, mean_truth=truth / count)
