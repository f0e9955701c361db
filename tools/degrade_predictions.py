"""Degrade a results file in three stated ways, and show that the evaluation names each of them.

    python -m tools.degrade_predictions results/predictions/r_sine/seed0/synthetic/val/ground_truth.json \
        --annotations resources/synthetic/val/annotations.json --output degraded

writes `untouched.json`, `jittered.json`, `exchanged.json` and `shuffled.json`, which a study can list as `external`
rows, and prints what `transpose evaluate` finds in each: of the good keypoints that were given an error, how many have
the class of that error, and all counts. The others are near two keypoints, such as left and right in a side view, or
their person is no longer found.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from transpose.config.bootstrap import Bootstrap
from transpose.evaluation.error_types.keypoints import KeypointClass
from transpose.evaluation.error_types.mended import Diagnosed
from transpose.evaluation.error_types.report import diagnose
from transpose.evaluation.external_annotations import AnnotatedKeypoints, read_annotations
from transpose.evaluation.external_evaluation import ExternalReport, evaluate_results
from transpose.evaluation.results import write_results
from transpose.inference.poses import PoseResults

_SHARE = 0.1
_SIMILARITY = 0.7
"""Of a jittered keypoint with its annotation: between 0.5 and 0.85."""


@dataclass(frozen=True)
class Degraded:
    """Results with an injected error."""

    results: PoseResults
    changed: np.ndarray
    """[G, K] bool: good keypoints that were given an error."""
    kind: KeypointClass | None = None
    """The class of that error."""


def jittered(found: Diagnosed, rng: np.random.Generator) -> Degraded:
    """Move a tenth of the good keypoints to a similarity of 0.7, in a random direction."""
    persons, good = found.annotations.persons, found.keypoint_classes == KeypointClass.GOOD
    rows, keypoints = np.nonzero(good)
    chosen = rng.permutation(len(rows))[: round(_SHARE * len(rows))]
    rows, keypoints = rows[chosen], keypoints[chosen]
    deviations = np.sqrt(persons.areas[rows]) * 2 * found.skeleton.oks_sigmas[keypoints]
    angles = rng.uniform(0, 2 * np.pi, len(rows))
    offsets = (deviations * np.sqrt(-2 * np.log(_SIMILARITY)))[:, None] * np.stack((np.cos(angles), np.sin(angles)), 1)
    moved, changed = found.results.keypoints.copy(), np.zeros_like(good)
    moved[_predictions_of(found, rows), keypoints, :2] = persons.keypoints[rows, keypoints, :2] + offsets
    changed[rows, keypoints] = True
    return Degraded(replace(found.results, keypoints=moved), changed, KeypointClass.JITTER)


def exchanged(found: Diagnosed, rng: np.random.Generator) -> Degraded:
    """Exchange left and right in a tenth of the found persons."""
    persons = np.flatnonzero(found.assignment.is_evaluated & (found.assignment.prediction_of >= 0))
    chosen = rng.permutation(persons)[: round(_SHARE * len(persons))]
    mirror = found.skeleton.flip_permutation
    moved, predictions = found.results.keypoints.copy(), _predictions_of(found, chosen)
    moved[predictions] = moved[predictions][:, mirror]
    good = found.keypoint_classes == KeypointClass.GOOD
    changed = np.zeros_like(good)
    changed[chosen] = good[chosen] & (mirror != np.arange(len(mirror)))
    return Degraded(replace(found.results, keypoints=moved), changed, KeypointClass.INVERSION)


def shuffled(found: Diagnosed, rng: np.random.Generator) -> Degraded:
    """Shuffle the scores of the persons."""
    nothing = np.zeros_like(found.keypoint_classes, dtype=bool)
    return Degraded(replace(found.results, scores=rng.permutation(found.results.scores)), nothing)


DEGRADATIONS: dict[str, Callable[[Diagnosed, np.random.Generator], Degraded]] = {
    "jittered": jittered,
    "exchanged": exchanged,
    "shuffled": shuffled,
}


@dataclass(frozen=True)
class Found:
    """What the evaluation finds in a file."""

    changed: int
    """Good keypoints that were given an error."""
    named: int
    """How many of them have the class of that error."""
    report: ExternalReport


def degrade(predictions: Path, annotations: Path, of: AnnotatedKeypoints, output: Path) -> dict[str, Found]:
    """Write the untouched and the degraded results; return what the evaluation finds in each file."""
    read = read_annotations(annotations, of)
    untouched = diagnose(read.truth, read.read_results(predictions, None).results, of.skeleton)
    files = {"untouched": Degraded(untouched.results, np.zeros_like(untouched.keypoint_classes, dtype=bool))}
    files |= {name: change(untouched, np.random.default_rng(0)) for name, change in DEGRADATIONS.items()}
    found = {}
    for name, one in files.items():
        path = output / f"{name}.json"
        write_results(one.results, path)
        classes = diagnose(read.truth, one.results, of.skeleton).keypoint_classes
        report = evaluate_results(path, annotations, of, Bootstrap(samples=200, seed=0))
        found[name] = Found(int(one.changed.sum()), int((classes[one.changed] == one.kind).sum()), report)
    return found


def table(found: dict[str, Found]) -> Iterator[str]:
    """Yield one line for each file: AP, numbers of errors, and the calibration error of the person scores."""
    kinds = list(found["untouched"].report.errors.keypoints)
    counts = " ".join(f"{kind:>10}" for kind in kinds)
    yield f"{'file':<10} {'AP':>19} {'changed':>7} {'named':>6} {counts} {'out of order':>12} {'ECE':>6}"
    for name, one in found.items():
        report = one.report
        numbers = " ".join(f"{each.count:>10}" for each in report.errors.keypoints.values())
        persons = report.calibration.persons
        ece = "-" if persons is None or persons.ece.value is None else f"{persons.ece.value:.3f}"
        order = report.errors.scores["order"].count
        ap = repr(report.metrics["AP"])
        yield f"{name:<10} {ap:>19} {one.changed:>7} {one.named:>6} {numbers} {order:>12} {ece:>6}"


def main() -> None:
    """Write the files and print what the evaluation finds in them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("predictions", type=Path, help="COCO keypoint results")
    parser.add_argument("--annotations", type=Path, required=True, help="their annotations, with COCO's keypoints")
    parser.add_argument("--output", type=Path, required=True, help="folder of the degraded files")
    arguments = parser.parse_args()
    found = degrade(arguments.predictions, arguments.annotations, AnnotatedKeypoints(), arguments.output)
    print("\n".join(table(found)))


def _predictions_of(found: Diagnosed, persons: np.ndarray) -> np.ndarray:
    """Return the rows in the results of the predictions that are assigned to persons."""
    return found.assignment.results_of[found.assignment.prediction_of[persons]]


if __name__ == "__main__":
    main()
