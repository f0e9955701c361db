"""Evaluate a results file of any tool on an annotation file of any tool, without a trained model's records."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import NonNegativeInt

from transpose.config.base import Settings
from transpose.config.bootstrap import Bootstrap
from transpose.config.dataset import CategoryChoice
from transpose.data.coco import PERSON_CATEGORY, CocoAnnotations, ImageTable, parse_annotations
from transpose.data.import_annotations import ImportedAnnotations, import_annotations
from transpose.evaluation.crowding import SubsetAP, crowding_aps
from transpose.evaluation.external_results import read_external_results
from transpose.evaluation.keypoint_parts import PartMetrics, part_metrics
from transpose.evaluation.per_keypoint import PerKeypointMetrics
from transpose.evaluation.report import ReferenceCheck, oks_values
from transpose.files import sha256_of_file
from transpose.skeleton import Skeleton


class ExternalReport(Settings):
    """Metrics of a results file; keys that `EvaluationReport` has too have the same meaning."""

    skeleton: str
    """Name of the skeleton."""
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
    parts: dict[str, PartMetrics] | None
    """Metrics of each keypoint field alone; None if there is only one."""
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
    skeleton: Skeleton,
    bootstrap: Bootstrap,
    annotated_category: CategoryChoice = None,
    predicted_category: CategoryChoice = None,
    keypoint_fields: tuple[str, ...] = ("keypoints",),
) -> ExternalReport:
    """Evaluate keypoint results by OKS; `import_annotations` and `read_external_results` describe the files.

    Images are not read.

    Raises:
        InputError: a file is missing or wrong, or a reference evaluator disagrees.
    """
    imported = import_annotations(annotations, skeleton, annotated_category, keypoint_fields)
    truth = _without_images(annotations, imported, skeleton)
    written_ids = {name: number for name, number in imported.image_names.items() if name is not None}
    found = read_external_results(results, truth, skeleton, predicted_category, written_ids, keypoint_fields)
    values, table = oks_values(truth, found.results, skeleton, bootstrap, results)
    return ExternalReport(
        skeleton=skeleton.name,
        crowding=crowding_aps(annotations, imported.images, table),
        parts=part_metrics(truth, found.results, skeleton, imported.field_sizes),
        annotations_derived=dict(imported.derived),
        annotations_left_out=dict(imported.left_out),
        predictions_derived=dict(found.derived),
        predictions_left_out=dict(found.left_out),
        annotations_sha256=sha256_of_file(annotations),
        predictions_sha256=sha256_of_file(results),
        **values,
    )


def _without_images(path: Path, imported: ImportedAnnotations, skeleton: Skeleton) -> CocoAnnotations:
    """Return annotations for OKS, which uses neither the files nor the sizes of images."""
    unnamed = [{"id": image["id"], "file_name": str(image["id"]), "height": 1, "width": 1} for image in imported.images]
    categories = [{"id": PERSON_CATEGORY, "name": "person", "imported_as": imported.category_names}]
    content = {"images": unnamed, "annotations": imported.persons, "categories": categories}
    annotations = parse_annotations(path, content, skeleton)
    names = [str(image["file_name"]).replace("\\", "/") for image in imported.images]
    sizes_hw = np.array([(image.get("height", 1), image.get("width", 1)) for image in imported.images], dtype=np.int32)
    return replace(annotations, images=ImageTable(annotations.images.ids, names, sizes_hw.reshape(-1, 2)))
