"""BenchmarkReport of time and memory of loader and evaluator by number of persons."""

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from transpose.benchmark.evaluator_scale import EvaluatorScale, measure_scale
from transpose.benchmark.loader_scale import LoaderScale, loader_scale
from transpose.config.base import Settings

PERSONS = (1_000, 10_000, 100_000)


class Growth(Settings):
    """Measurements of both stages at each number of persons."""

    loader: tuple[LoaderScale, ...]
    evaluator: tuple[EvaluatorScale, ...]


def measure_growth(persons: Sequence[int] = PERSONS) -> Growth:
    """Measure both stages with random annotations; each number in a fresh process, so that memory is comparable."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as processes:
        loader = tuple(processes.map(loader_scale, persons))
    return Growth(loader=loader, evaluator=measure_scale(persons))
