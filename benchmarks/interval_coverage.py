"""Coverage of the 95 % intervals: the share of samples whose interval contains the population's figure.

python -m benchmarks.interval_coverage --trials 300

The intervals are those of the package, of samples of rendered people and of simulated trainings. The last columns are
for percentile intervals of the same resamples, averaged over trainings, as in earlier versions.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.simulated_trainings import (
    Population,
    SimulatedTraining,
    images_of,
    persons_of,
    rendered_population,
    simulated_training,
)
from transpose.attention.estimates import estimate, hidden_minus_seen
from transpose.attention.influence import agreement
from transpose.config.bootstrap import Bootstrap
from transpose.evaluation.bootstrap import paired_difference, resample
from transpose.evaluation.intervals import LEVEL, Estimate, Resamples

_POPULATION_IMAGES = 400
_POOL = 120
"""Simulated trainings of each model."""
_ERRORS = (1.0, 1.1, 4.0)
"""Errors of three models, as factors of an average training's."""
_IMAGES, _TRAININGS = (20, 60, 200), (1, 2, 3, 5)
_WITH_ONE_NUMBER_OF_IMAGES = 60
"""Number of images for more than one training."""

Models = tuple[SimulatedTraining, SimulatedTraining, SimulatedTraining]
"""A training of each model: two similar ones and a poor one."""


@dataclass(frozen=True)
class Sample:
    """Images [n] drawn from the population, their persons [P] and the draw [P] that each person belongs to."""

    images: np.ndarray
    persons: np.ndarray
    person_images: np.ndarray
    visibility: np.ndarray
    """[P, K]."""
    bootstrap: Bootstrap

    @classmethod
    def of(cls, population: Population, images: np.ndarray, bootstrap: Bootstrap) -> "Sample":
        """Return the sample of images [n], which may repeat."""
        persons, person_images = persons_of(population, images)
        return cls(images, persons, person_images, population.persons.keypoints[persons, :, 2], bootstrap)


Measure = Callable[[Models, Sample], Resamples]


@dataclass(frozen=True)
class Coverage:
    """Result of all trials with a number of images and of trainings."""

    images: int
    trainings: int
    covered: float
    """Share of intervals that contain the population's figure."""
    width: float
    """Mean width in units of the quantity."""
    outside: float
    """Share of intervals that do not contain their own estimate."""
    percentile_covered: float
    percentile_outside: float


def _ap(models: Sequence[SimulatedTraining], sample: Sample) -> Resamples:
    return resample(images_of(models[0].matches, sample.images), sample.bootstrap.samples, sample.bootstrap.seed)


def _ap_of_poor_model(models: Models, sample: Sample) -> Resamples:
    return _ap(models[2:], sample)


def _ap_difference(models: Models, sample: Sample) -> Resamples:
    first, second = (images_of(training.matches, sample.images) for training in models[:2])
    return paired_difference(first, second, sample.bootstrap.samples, sample.bootstrap.seed)


def _pckh(models: Models, sample: Sample) -> Resamples:
    return resample(images_of(models[0].hits, sample.images), sample.bootstrap.samples, sample.bootstrap.seed)


def _mean(models: Models, sample: Sample) -> Resamples:
    return _of(estimate(models[0].attention[sample.persons], sample.person_images, sample.bootstrap))


def _margin(models: Models, sample: Sample) -> Resamples:
    first, second = (training.attention[sample.persons] for training in models[:2])
    return _of(estimate(first - second, sample.person_images, sample.bootstrap))


def _hidden_minus_seen(models: Models, sample: Sample) -> Resamples:
    values = models[0].attention[sample.persons]
    return _of(hidden_minus_seen(values, sample.visibility, sample.person_images, sample.bootstrap))


def _agreement(models: Models, sample: Sample) -> Resamples:
    attention, effect = models[0].matrices[:, sample.persons]
    return _of(agreement(attention, effect, sample.person_images, sample.bootstrap))


MEASURES: Mapping[str, Measure] = {
    "AP": _ap,
    "AP of a poor model": _ap_of_poor_model,
    "AP, difference of two models": _ap_difference,
    "PCKh": _pckh,
    "attention, mean": _mean,
    "attention, paired difference": _margin,
    "attention, occluded minus visible": _hidden_minus_seen,
    "attention, rank correlation of matrices": _agreement,
}
FRACTIONS = ("AP", "AP of a poor model", "PCKh")
"""Measures in [0, 1]."""


def coverages(
    name: str,
    population: Population,
    pool: Sequence[Models],
    sizes: Sequence[tuple[int, int]],
    trials: int,
    samples: int,
) -> Iterator[Coverage]:
    """Draw images and trainings `trials` times and count the intervals of a quantity that contain the truth.

    The truth is the figure of all images, and of all trainings of the pool; with one training, of that training.

    Args:
        sizes: numbers of images and of trainings; yields one result for each.
        samples: resamples of each interval.
    """
    measure = MEASURES[name]
    whole = Sample.of(population, np.arange(len(population)), Bootstrap(samples=1, seed=0))
    truths = np.array([measure(models, whole).value for models in pool], dtype=np.float64)
    for images, trainings in sizes:
        rng = np.random.default_rng([list(MEASURES).index(name), images, trainings])
        rows = []
        for trial in range(trials):
            bootstrap = Bootstrap(samples=samples, seed=trial)
            sample = Sample.of(population, rng.integers(len(population), size=images), bootstrap)
            chosen = rng.choice(len(pool), size=trainings, replace=False)
            found = Resamples.joined([measure(pool[index], sample) for index in chosen])
            truth = truths[chosen].mean() if trainings == 1 else truths.mean()
            rows.append(_trial(found, float(truth), name in FRACTIONS))
        covered, own, percentile_covered, percentile_own, width = np.nanmean(rows, axis=0).tolist()
        yield Coverage(images, trainings, covered, width, 1 - own, percentile_covered, 1 - percentile_own)


def _trial(found: Resamples, truth: float, is_fraction: bool) -> list[float]:
    """Return whether the interval contains truth and estimate, whether the percentiles do, and the width; or NaN."""
    interval = found.interval_of_fraction() if is_fraction else found.interval()
    if interval is None or found.value is None:  # too few persons in the sample
        return [np.nan] * 5
    tail = (1 - LEVEL) / 2
    low, high = np.nanquantile(found.draws, (tail, 1 - tail), axis=1).mean(axis=1).tolist()
    contained = [
        float(first <= number <= last) for first, last in (interval, (low, high)) for number in (truth, found.value)
    ]
    return [*contained, interval[1] - interval[0]]


def main() -> None:
    """Print a row for each quantity, number of images and number of trainings."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--trials", type=int, default=300, help="samples of each kind")
    parser.add_argument("--samples", type=int, default=200, help="resamples of each interval")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    population = rendered_population(_POPULATION_IMAGES, arguments.seed)
    rng = np.random.default_rng(arguments.seed)
    pool = [_models(population, rng) for _ in range(_POOL)]
    sizes = [(images, 1) for images in _IMAGES] + [(_WITH_ONE_NUMBER_OF_IMAGES, count) for count in _TRAININGS[1:]]
    heading = ("quantity", "images", "trainings", "covered, %", "width", "outside, %", "before: covered", "outside")
    print(f"| {' | '.join(heading)} |\n|{' --- |' * len(heading)}")
    for name in MEASURES:
        for one in coverages(name, population, pool, sizes, arguments.trials, arguments.samples):
            shares = (one.covered, one.outside, one.percentile_covered, one.percentile_outside)
            covered, outside, *before = (f"{100 * share:.1f}" for share in shares)
            cells = (name, one.images, one.trainings, covered, f"{one.width:.3f}", outside, *before)
            print(f"| {' | '.join(map(str, cells))} |", flush=True)


def _models(population: Population, rng: np.random.Generator) -> Models:
    first, second, poor = (simulated_training(population, error, rng) for error in _ERRORS)
    return first, second, poor


def _of(found: Estimate) -> Resamples:
    value = np.nan if found.value is None else found.value
    draws = np.array([]) if found.draws is None else found.draws
    return Resamples(np.array([value]), draws[None], found.images)


if __name__ == "__main__":
    main()
