"""BenchmarkReport of the COCO keypoint evaluation against pycocotools, including reading of files."""

import contextlib
import io
import tempfile
from pathlib import Path

import pycocotools.coco as pycoco
import pycocotools.cocoeval as pycocoeval

from transpose.benchmark.comparison import SpeedComparison, compare_speed
from transpose.benchmark.outputs import Outputs
from transpose.benchmark.random_annotations import random_annotations, write_annotations
from transpose.data.coco import load_annotations
from transpose.evaluation.oks import STATISTICS, evaluate_keypoints, max_abs_difference
from transpose.evaluation.results import read_results, write_results
from transpose.skeleton import COCO_PERSON

PLAIN, OURS = "pycocotools", "this project's evaluator"


def compare_evaluators(
    images: int = 5_000, persons: int = 11_004, detections: int = 80_809, rounds: int = 3, seed: int = 0
) -> SpeedComparison:
    """Time loading and evaluation of random annotations and results; default numbers are those of COCO val2017.

    The remark gives the largest difference of the ten metrics of both evaluators.
    """
    people = random_annotations(images, persons, detections, seed)
    outputs: Outputs[dict[str, float]] = Outputs()
    with tempfile.TemporaryDirectory() as folder:
        annotations, results = Path(folder) / "annotations.json", Path(folder) / "results.json"
        write_annotations(people.annotations, annotations)
        write_results(people.detections, results)
        result = compare_speed(
            f"COCO keypoint evaluation of {images:,} images with {persons:,} persons, from files",
            "results",
            detections,
            [
                outputs.candidate(PLAIN, lambda: by_pycocotools(annotations, results)),
                outputs.candidate(OURS, lambda: by_our_evaluator(annotations, results)),
            ],
            rounds,
        )
    difference = max_abs_difference(*outputs.of.values())
    return result.model_copy(update={"remark": f"largest difference between the metrics: {difference:.1g}"})


def by_pycocotools(annotations: Path, results: Path) -> dict[str, float]:
    """Return `STATISTICS` by the usual calls of pycocotools."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = pycoco.COCO(str(annotations))
        evaluator = pycocoeval.COCOeval(truth, truth.loadRes(str(results)), "keypoints")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return dict(zip(STATISTICS, map(float, evaluator.stats), strict=True))


def by_our_evaluator(annotations: Path, results: Path) -> dict[str, float]:
    """Return `STATISTICS` of the same files by this project's evaluator, which also validates every field."""
    return evaluate_keypoints(
        load_annotations(annotations, COCO_PERSON), read_results(results, COCO_PERSON), COCO_PERSON
    ).statistics
