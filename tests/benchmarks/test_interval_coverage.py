"""Coverage of intervals: samples of the simulated population are tables like any other, and the count is a count."""

import numpy as np
import pytest

from benchmarks.interval_coverage import MEASURES, Models, Sample, coverages
from benchmarks.simulated_trainings import Population, images_of, persons_of, rendered_population, simulated_training
from transpose.config.bootstrap import Bootstrap


@pytest.fixture(scope="module")
def population() -> Population:
    return rendered_population(12, seed=0)


@pytest.fixture(scope="module")
def pool(population: Population) -> list[Models]:
    rng = np.random.default_rng(0)
    good, fair, poor = (simulated_training(population, error, rng) for error in (1.0, 1.5, 4.0))
    return [(good, fair, poor), (fair, good, poor)]


def test_a_sample_has_each_draw_of_an_image_once(population: Population, pool: list[Models]) -> None:
    chosen = np.array([3, 0, 3, 7])
    for table in (pool[0][0].matches, pool[0][0].hits):
        weights = np.bincount(chosen, minlength=12)[None]
        once = np.ones((1, 4), dtype=np.int64)
        assert images_of(table, chosen).accuracy(once) == pytest.approx(table.accuracy(weights))
    persons, draws = persons_of(population, chosen)
    assert population.person_images[persons].tolist() == chosen[draws].tolist()
    assert np.bincount(draws, minlength=4).sum() == sum((population.person_images == image).sum() for image in chosen)


@pytest.mark.parametrize("name", MEASURES)
def test_the_estimate_is_the_statistic_of_all_images_once(
    name: str, population: Population, pool: list[Models]
) -> None:
    bootstrap = Bootstrap(samples=3, seed=0)
    found = MEASURES[name](pool[0], Sample.of(population, np.arange(12), bootstrap))
    # The same images twice are the same population.
    twice = MEASURES[name](pool[0], Sample.of(population, np.tile(np.arange(12), 2), bootstrap))
    assert found.value == pytest.approx(twice.value, abs=0.02 if name.startswith("AP") else 1e-12)


def test_shares_are_counted(population: Population, pool: list[Models]) -> None:
    (found,) = coverages("attention, mean", population, pool, [(12, 2)], trials=5, samples=20)
    assert (found.images, found.trainings, found.outside) == (12, 2, 0)
    assert {5 * found.covered, 5 * found.percentile_covered} <= {0, 1, 2, 3, 4, 5}
    assert found.width > 0
