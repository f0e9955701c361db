"""The metrics file of one set of predictions, the source of the numbers in the tables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import NonNegativeInt

from transpose.config.base import Settings
from transpose.config.bootstrap import Bootstrap
from transpose.config.code_version import Origin
from transpose.config.dataset import Accuracy, accuracy_of
from transpose.config.runtime import RuntimeUsed
from transpose.config.study import EvalProtocol
from transpose.data.coco import CocoAnnotations
from transpose.errors import InputError
from transpose.evaluation.analysis_input import AnalysisInput, write_report
from transpose.evaluation.bootstrap import bootstrap_interval
from transpose.evaluation.crowding import SubsetAP, crowding_aps
from transpose.evaluation.matches import MatchTable
from transpose.evaluation.oks import KeypointMetrics, evaluate_keypoints, max_abs_difference
from transpose.evaluation.pckh import KeypointHits, KeypointPckh, PckhMetrics, evaluate_pckh
from transpose.evaluation.per_keypoint import PerKeypointMetrics, per_keypoint_metrics
from transpose.evaluation.prediction_record import checked_prediction_record
from transpose.evaluation.reference_evaluators import left_out_by_xtcocotools, reference_metrics
from transpose.evaluation.results import read_results_on
from transpose.evaluation.subject import Subject
from transpose.files import read_json, sha256_of_file
from transpose.inference.poses import PoseResults
from transpose.skeleton import Skeleton

MAX_ABS_DIFFERENCE = 1e-9
"""Largest accepted difference between two evaluators; rounding errors are smaller."""


class ReferenceCheck(Settings):
    """Agreement of the metrics with reference evaluators: pycocotools and, if installed, xtcocotools and hotcoco."""

    evaluators: tuple[str, ...]
    """The evaluators that agreed."""
    max_abs_difference: float
    """Largest absolute difference in any metric."""
    left_out: Mapping[str, NonNegativeInt] = {}
    """Evaluator -> number of predictions that it leaves out; it agreed on the metrics of the others."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the check does not cover, for tables."""
        return tuple(
            f"{name} leaves out {count:,} predictions without a keypoint score above 0"
            for name, count in self.left_out.items()
        )


class EvaluationReport(Subject):
    """The content of a metrics file: metrics, the data they were measured on, and digests of all input files."""

    metric: Accuracy = "AP"
    """The main metric, which the interval belongs to."""
    metrics: dict[str, float]
    """COCO or PCKh metrics as fractions, -1 where undefined."""
    images: NonNegativeInt
    persons: NonNegativeInt
    predictions: NonNegativeInt
    """Predicted persons after suppression."""
    keypoints: tuple[PerKeypointMetrics, ...] | tuple[KeypointPckh, ...]
    interval: tuple[float, float]
    bootstrap: Bootstrap
    reference_check: ReferenceCheck | None
    """None for PCKh, which has no reference evaluator."""
    crowding: dict[str, SubsetAP] | None = None
    """AP by crowd index; None for PCKh or if the annotations have none."""
    predictions_sha256: str
    predicted: Origin | None
    """Code and machine that made the predictions; None if the report's own code made them."""
    protocol: EvalProtocol
    runtime: RuntimeUsed
    """Library that ran the network."""


def write_metrics(inputs: AnalysisInput) -> None:
    """Evaluate predictions with the data set's metric and write an `EvaluationReport`.

    The table for the bootstrap is written to the same path with suffix .npz.

    Raises:
        InputError: a file is missing or wrong, the predictions do not fit the other files, or a reference evaluator
            disagrees.
    """
    record = checked_prediction_record(inputs)
    values, table = report_values(inputs, inputs.predictions_file, record.runtime)
    path = inputs.layout.metrics(inputs.run, inputs.setting)
    write_report(path, EvaluationReport, inputs, values | {"predicted": record.origin}, vars(table))


def report_values(
    inputs: AnalysisInput, predictions: Path, runtime: RuntimeUsed
) -> tuple[dict[str, Any], MatchTable | KeypointHits]:
    """Evaluate a file of predictions; return the fields that `EvaluationReport` adds to `Subject`, and the table.

    Args:
        runtime: library that ran the network.

    Raises:
        InputError: a file is wrong, or a reference evaluator disagrees.
    """
    truth, dataset, bootstrap = inputs.annotations, inputs.dataset, inputs.bootstrap
    results = read_results_on(predictions, truth, dataset.skeleton)
    if dataset.evaluation == "pckh":
        metrics = evaluate_pckh(truth, results, dataset.skeleton)
        table, values = metrics.hits, _values(metrics, metrics.hits, metrics.keypoints, bootstrap, None)
    else:
        values, table = oks_values(truth, results, dataset.skeleton, bootstrap, predictions)
        images = read_json(inputs.annotations_file)["images"]
        values["crowding"] = crowding_aps(inputs.annotations_file, images, table)
    more = {
        "metric": accuracy_of(dataset.evaluation),
        "predictions_sha256": sha256_of_file(predictions),
        "predicted": None,
        "protocol": inputs.protocol,
        "runtime": runtime,
    }
    return values | more, table


def oks_values(
    truth: CocoAnnotations, results: PoseResults, skeleton: Skeleton, bootstrap: Bootstrap, predictions: Path
) -> tuple[dict[str, Any], MatchTable]:
    """Evaluate results by OKS; return the fields of a report that do not depend on how they were made, and the table.

    Args:
        predictions: file of the results, for messages.

    Raises:
        InputError: a result is in another image, or a reference evaluator disagrees.
    """
    metrics = evaluate_keypoints(truth, results, skeleton)
    check = _reference_check(metrics.statistics, truth, results, skeleton, predictions)
    keypoints = per_keypoint_metrics(truth, results, skeleton)
    return _values(metrics, metrics.matches, keypoints, bootstrap, check), metrics.matches


def _values(
    metrics: KeypointMetrics | PckhMetrics,
    table: MatchTable | KeypointHits,
    keypoints: tuple[PerKeypointMetrics, ...] | tuple[KeypointPckh, ...],
    bootstrap: Bootstrap,
    check: ReferenceCheck | None,
) -> dict[str, Any]:
    return {
        "metrics": metrics.statistics,
        "images": metrics.images,
        "persons": metrics.persons,
        "predictions": metrics.predictions,
        "keypoints": keypoints,
        "interval": bootstrap_interval(table, bootstrap.samples, bootstrap.seed, bootstrap.level),
        "bootstrap": bootstrap,
        "reference_check": check,
    }


def _reference_check(
    statistics: dict[str, float],
    annotations: CocoAnnotations,
    results: PoseResults,
    skeleton: Skeleton,
    predictions: Path,
) -> ReferenceCheck:
    references = reference_metrics(annotations, results, skeleton)
    skipped = {"xtcocotools": left_out_by_xtcocotools(results)}
    left_out = {name: int(chosen.sum()) for name, chosen in skipped.items() if name in references and chosen.any()}
    differences = {}
    for name, reference in references.items():
        ours = statistics
        if name in left_out:
            ours = evaluate_keypoints(annotations, results.select(~skipped[name]), skeleton).statistics
        differences[name] = max_abs_difference(ours, reference)
        if differences[name] > MAX_ABS_DIFFERENCE:
            problem = f"metrics differ from those of {name} by {differences[name]:.3g}"
            raise InputError(problem, file=predictions)
    return ReferenceCheck(
        evaluators=tuple(differences), max_abs_difference=max(differences.values()), left_out=left_out
    )
