"""BenchmarkReport of the evaluator's time and memory by number of persons."""

import multiprocessing
import tracemalloc
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from transpose.benchmark.comparison import seconds_of
from transpose.benchmark.random_annotations import random_annotations
from transpose.config.base import Settings
from transpose.evaluation.oks import evaluate_keypoints
from transpose.skeleton import COCO_PERSON

_DETECTIONS_PER_PERSON, _PERSONS_PER_IMAGE = 7, 2
"""Approximately those of COCO val2017."""
_MB = 1e6


class EvaluatorScale(Settings):
    """Time and memory of evaluating a number of persons, in a separate process."""

    persons: int
    detections: int
    images: int
    seconds: float
    """Wall-clock time of evaluating arrays in memory."""
    input_mb: float
    """Size of the keypoints of detections and persons."""
    memory_mb: float
    """Peak of allocated memory, without the input."""


def measure_scale(persons: Sequence[int], seed: int = 0) -> tuple[EvaluatorScale, ...]:
    """Evaluate random annotations with each number of persons, each in a fresh process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as processes:
        return tuple(processes.map(_measure, persons, [seed] * len(persons)))


def _measure(persons: int, seed: int) -> EvaluatorScale:
    images, detections = max(1, persons // _PERSONS_PER_IMAGE), _DETECTIONS_PER_PERSON * persons
    people = random_annotations(images, persons, detections, seed)

    def evaluate() -> None:
        evaluate_keypoints(people.annotations, people.detections, COCO_PERSON)

    seconds = seconds_of(evaluate)
    # Tracing allocations slows the evaluation down, so memory is measured in a second run.
    tracemalloc.start()
    evaluate()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return EvaluatorScale(
        persons=persons,
        detections=detections,
        images=images,
        seconds=seconds,
        input_mb=(people.detections.keypoints.nbytes + people.annotations.persons.keypoints.nbytes) / _MB,
        memory_mb=peak / _MB,
    )
