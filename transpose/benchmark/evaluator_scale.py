"""How the evaluator's time and memory grow with the number of persons."""

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
"""About as of COCO val2017."""
_MB = 1e6


class EvaluatorScale(Settings):
    """What evaluating so many persons took, in a process of its own."""

    persons: int
    detections: int
    images: int
    seconds: float
    """Wall-clock time of evaluating arrays in memory."""
    input_mb: float
    """Keypoints of the detections and of the persons."""
    memory_mb: float
    """Most that was allocated beside the input at any time."""


def measure_scale(persons: Sequence[int], seed: int = 0) -> tuple[EvaluatorScale, ...]:
    """Evaluate made-up people of each number, in a fresh process each."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as processes:
        return tuple(processes.map(_measure, persons, [seed] * len(persons)))


def _measure(persons: int, seed: int) -> EvaluatorScale:
    images, detections = max(1, persons // _PERSONS_PER_IMAGE), _DETECTIONS_PER_PERSON * persons
    people = random_annotations(images, persons, detections, seed)

    def evaluate() -> None:
        evaluate_keypoints(people.annotations, people.detections, COCO_PERSON)

    seconds = seconds_of(evaluate)
    # Counting allocations slows them down, hence a run of its own.
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
