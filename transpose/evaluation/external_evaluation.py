"""Evaluate a results file of any tool on an annotation file of any tool, without a trained model's records."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import NonNegativeInt

from transpose.config.base import Settings
from transpose.config.bootstrap import Bootstrap
from transpose.config.dataset import CategoryChoice
from transpose.evaluation.calibration import Calibration, calibrate
from transpose.evaluation.crowding import SubsetAP, crowding_aps
from transpose.evaluation.error_types.mended import APGains
from transpose.evaluation.error_types.report import ErrorTypes, diagnose, error_types
from transpose.evaluation.extended_oks import ExtendedAP, extended_ap
from transpose.evaluation.external_annotations import (
    AnnotatedKeypoints,
    ExternalAnnotations,
    images_without_predictions,
    only_images,
    read_annotations,
)
from transpose.evaluation.external_results import ExternalResults
from transpose.evaluation.keypoint_parts import PartMetrics, part_metrics
from transpose.evaluation.matches import MatchTable
from transpose.evaluation.per_keypoint import PerKeypointMetrics
from transpose.evaluation.report import ReferenceCheck, oks_values
from transpose.files import sha256_of_file


class ExternalReport(Settings):
    """Metrics of a results file; keys that `EvaluationReport` has too have the same meaning."""

    skeleton: str
    """Name of the skeleton."""
    subset: bool
    """Only images with a prediction were evaluated."""
    images_without_predictions: NonNegativeInt
    """Images with persons and without any prediction; all their persons count as not found."""
    metrics: dict[str, float]
    """COCO metrics as fractions, -1 where undefined."""
    images: NonNegativeInt
    persons: NonNegativeInt
    predictions: NonNegativeInt
    keypoints: tuple[PerKeypointMetrics, ...]
    interval: tuple[float, float]
    """Of AP."""
    bootstrap: Bootstrap
    reference_check: ReferenceCheck
    crowding: dict[str, SubsetAP] | None
    """AP by crowd index; None if the annotations have none."""
    extended: ExtendedAP | None = None
    """AP by extended OKS; None if the annotations have no keypoints outside of images."""
    parts: dict[str, PartMetrics] | None
    """Metrics of each keypoint field alone; None if there is only one."""
    errors: ErrorTypes
    calibration: Calibration
    annotations_derived: Mapping[str, int]
    """Field that was derived from others -> number of annotations."""
    annotations_left_out: Mapping[str, int]
    """Reason -> number of annotations that are not used."""
    predictions_derived: Mapping[str, int]
    predictions_left_out: Mapping[str, int]
    annotations_sha256: str
    predictions_sha256: str


def evaluate_results(
    results: Path,
    annotations: Path,
    of: AnnotatedKeypoints,
    bootstrap: Bootstrap,
    predicted_category: CategoryChoice = None,
    subset: bool = False,
) -> ExternalReport:
    """Evaluate keypoint results by OKS; `import_annotations` and `read_external_results` describe the files.

    Images are not read.

    Args:
        subset: evaluate only the images that have a prediction.

    Raises:
        InputError: a file is missing or wrong, or a reference evaluator disagrees.
    """
    read = read_annotations(annotations, of)
    found = read.read_results(results, predicted_category)
    truth = only_images(read.truth, found.results.image_ids) if subset else read.truth
    values, _ = report_values(replace(read, truth=truth), found, bootstrap, results)
    return ExternalReport(subset=subset, **values)


def report_values(
    read: ExternalAnnotations, found: ExternalResults, bootstrap: Bootstrap, results: Path
) -> tuple[dict[str, Any], MatchTable]:
    """Evaluate results that were read from the file `results`.

    Returns:
        Fields of `ExternalReport` without `subset`, and the table of matches.

    Raises:
        InputError: a reference evaluator disagrees.
    """
    truth, skeleton, imported = read.truth, read.of.skeleton, read.imported
    values, table = oks_values(truth, found.results, skeleton, bootstrap, results)
    gains = APGains.of(diagnose(truth, found.results, skeleton), bootstrap)
    more = {
        "skeleton": skeleton.name,
        "images_without_predictions": images_without_predictions(truth, found.results),
        "errors": error_types(gains, with_groups=True),
        "calibration": calibrate(gains, found.has_keypoint_scores),
        "crowding": crowding_aps(truth.source, imported.images, table),
        "extended": extended_ap(truth, found.results, skeleton, bootstrap) if found.has_keypoint_scores else None,
        "parts": part_metrics(truth, found.results, skeleton, imported.field_sizes),
        "annotations_derived": dict(imported.derived),
        "annotations_left_out": dict(imported.left_out),
        "predictions_derived": dict(found.derived),
        "predictions_left_out": dict(found.left_out),
        "annotations_sha256": sha256_of_file(truth.source),
        "predictions_sha256": sha256_of_file(results),
    }
    return values | more, table
