"""The metrics file of one set of predictions: what the table's numbers are traced back to."""

from pathlib import Path
from typing import Any

from pydantic import NonNegativeInt

from transpose.config.base import Settings
from transpose.config.bootstrap import Bootstrap
from transpose.config.dataset import Accuracy, accuracy_of
from transpose.config.study import EvalProtocol
from transpose.data.coco import CocoAnnotations
from transpose.errors import InputError
from transpose.evaluation.analysis_input import AnalysisInput, write_report
from transpose.evaluation.bootstrap import bootstrap_interval
from transpose.evaluation.keypoint_hits import KeypointHits
from transpose.evaluation.matches import MatchTable
from transpose.evaluation.oks import evaluate_keypoints, max_abs_difference, pycocotools_metrics, xtcocotools_metrics
from transpose.evaluation.pckh import KeypointPckh, evaluate_pckh
from transpose.evaluation.per_keypoint import PerKeypointMetrics, per_keypoint_metrics
from transpose.evaluation.results import read_results_on
from transpose.evaluation.subject import Subject
from transpose.files import sha256_of_file
from transpose.inference.poses import PoseResults
from transpose.skeleton import Skeleton

MAX_ABS_DIFFERENCE = 1e-9
"""Two evaluators that differ by more do not compute the same thing."""


class ReferenceCheck(Settings):
    """How far the figures are from those of the evaluators that judge ours: pycocotools, and xtcocotools if there."""

    available: bool
    """xtcocotools was there."""
    max_abs_difference: float


class EvaluationReport(Subject):
    """The content of a metrics file: figures, what they were measured on, and digests of all that they come from."""

    metric: Accuracy = "AP"
    """The figure that the evaluation is about; the interval is its."""
    metrics: dict[str, float]
    """The COCO evaluation's figures, or PCKh's, as fractions, -1 where there is no answer."""
    images: NonNegativeInt
    persons: NonNegativeInt
    predictions: NonNegativeInt
    """Persons that were left of the boxes after suppression."""
    keypoints: tuple[PerKeypointMetrics, ...] | tuple[KeypointPckh, ...]
    interval: tuple[float, float]
    bootstrap: Bootstrap
    reference_check: ReferenceCheck | None
    """None for PCKh, of which there is no second evaluator."""
    predictions_sha256: str
    protocol: EvalProtocol


def write_metrics(inputs: AnalysisInput) -> None:
    """Evaluate predictions by the data set's evaluation and write an `EvaluationReport`.

    The table that its interval is resampled from is written with it (suffix .npz).

    Raises:
        InputError: a file is missing or wrong, or evaluators of OKS disagree.
    """
    values, table = report_values(inputs, inputs.predictions_file)
    write_report(inputs.layout.metrics(inputs.run, inputs.setting), EvaluationReport, inputs, values, vars(table))


def report_values(inputs: AnalysisInput, predictions: Path) -> tuple[dict[str, Any], MatchTable | KeypointHits]:
    """Evaluate a file of predictions: what an `EvaluationReport` adds to `Subject`, and the table behind its interval.

    Raises:
        InputError: a file is wrong, or evaluators disagree.
    """
    truth, dataset, bootstrap = inputs.annotations, inputs.dataset, inputs.bootstrap
    results = read_results_on(predictions, truth, dataset.skeleton)
    if dataset.evaluation == "pckh":
        metrics, opinion = evaluate_pckh(truth, results, dataset.skeleton), None
        keypoints, table = metrics.keypoints, metrics.hits
    else:
        metrics = evaluate_keypoints(truth, results, dataset.skeleton)
        opinion = _reference_check(metrics.statistics, truth, results, dataset.skeleton, predictions)
        keypoints, table = per_keypoint_metrics(truth, results, dataset.skeleton), metrics.matches
    values = {
        "metric": accuracy_of(dataset.evaluation),
        "metrics": metrics.statistics,
        "images": metrics.images,
        "persons": metrics.persons,
        "predictions": metrics.predictions,
        "keypoints": keypoints,
        "interval": bootstrap_interval(table, bootstrap.samples, bootstrap.seed, bootstrap.level),
        "bootstrap": bootstrap,
        "reference_check": opinion,
        "predictions_sha256": sha256_of_file(predictions),
        "protocol": inputs.protocol,
    }
    return values, table


def _reference_check(
    statistics: dict[str, float],
    annotations: CocoAnnotations,
    results: PoseResults,
    skeleton: Skeleton,
    predictions: Path,
) -> ReferenceCheck:
    official = pycocotools_metrics(annotations, results, skeleton)
    other = xtcocotools_metrics(annotations, results, skeleton)
    disagreements = [
        _disagreement(statistics, opinion, judge, predictions)
        for judge, opinion in (("pycocotools", official), ("xtcocotools", other))
        if opinion is not None
    ]
    return ReferenceCheck(available=other is not None, max_abs_difference=max(disagreements))


def _disagreement(statistics: dict[str, float], opinion: dict[str, float], judge: str, predictions: Path) -> float:
    difference = max_abs_difference(statistics, opinion)
    if difference > MAX_ABS_DIFFERENCE:
        raise InputError(predictions, None, None, f"our evaluator and {judge} disagree by {difference:.3g}")
    return difference
