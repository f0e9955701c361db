"""Time and memory of the evaluator by number of persons.

python -m benchmarks.evaluator_scale 1000 10000 100000
"""

import time
import tracemalloc
from dataclasses import dataclass

from benchmarks.fresh_processes import in_fresh_processes, persons_to_measure
from benchmarks.random_data import random_annotations
from transpose.evaluation.oks import evaluate_keypoints
from transpose.skeleton import COCO_PERSON

_DETECTIONS_PER_PERSON, _PERSONS_PER_IMAGE = 7, 2
"""Approximately those of COCO val2017."""
_MB = 1e6


@dataclass(frozen=True)
class EvaluatorScale:
    """Time and memory of evaluating a number of persons."""

    persons: int
    detections: int
    images: int
    seconds: float
    """Wall-clock time of evaluating arrays in memory."""
    input_mb: float
    """Size of the keypoints of detections and persons."""
    memory_mb: float
    """Peak of allocated memory, without the input."""


def evaluator_scale(persons: int) -> EvaluatorScale:
    """Evaluate random annotations and detections of `persons` persons."""
    images, detections = max(1, persons // _PERSONS_PER_IMAGE), _DETECTIONS_PER_PERSON * persons
    people = random_annotations(images, persons, detections, seed=0)

    def evaluate() -> None:
        evaluate_keypoints(people.annotations, people.detections, COCO_PERSON)

    start = time.perf_counter()
    evaluate()
    seconds = time.perf_counter() - start
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


def main() -> None:
    """Print a line for each number of persons."""
    persons = persons_to_measure("Time and memory of the evaluator by number of persons.")
    for one in in_fresh_processes(evaluator_scale, persons):
        print(
            f"{one.persons:>9,} persons   {one.detections:>9,} results   {one.seconds:8.3f} s"
            f"   {one.memory_mb:8.1f} MB, plus {one.input_mb:,.1f} MB of input"
        )


if __name__ == "__main__":
    main()
