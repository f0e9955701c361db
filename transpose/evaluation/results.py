"""Reading and writing predicted persons in the COCO results format."""

from pathlib import Path
from typing import Any

import numpy as np

from transpose.data.coco import PERSON_CATEGORY, CocoAnnotations
from transpose.data.fields import as_integers, as_numbers, as_vectors, column, read_records
from transpose.errors import InputError
from transpose.files import read_json, write_json
from transpose.inference.poses import PoseResults
from transpose.skeleton import Skeleton


def write_results(results: PoseResults, path: Path) -> None:
    """Write COCO results atomically, with all digits of every number.

    Records also have the `annotation_id` of the box they were predicted in, if known.
    """
    write_json(path, results.to_coco(), indent=None)


def read_results(path: Path, skeleton: Skeleton) -> PoseResults:
    """Read a file of COCO keypoint results.

    Raises:
        InputError: the file is missing or is not a list of keypoint results of persons; names record and field.
    """
    records = read_records(path, read_json(path), None)

    def name(position: int) -> str:
        return f"record[{position}]"

    column(path, records, "category_id", _require_persons, name)
    named = any("annotation_id" in record for record in records)
    return PoseResults(
        image_ids=column(path, records, "image_id", as_integers, name),
        keypoints=column(
            path, records, "keypoints", lambda values: as_vectors(values, 3 * len(skeleton)), name
        ).reshape(-1, len(skeleton), 3),
        scores=column(path, records, "score", as_numbers, name),
        annotation_ids=column(path, records, "annotation_id", as_integers, name) if named else None,
    )


def read_results_on(path: Path, annotations: CocoAnnotations, skeleton: Skeleton) -> PoseResults:
    """Read a file of COCO keypoint results for the images of an annotation file.

    Raises:
        InputError: as `read_results`, or a result is in another image.
    """
    results = read_results(path, skeleton)
    unknown = np.flatnonzero(annotations.images.find(results.image_ids) < 0)
    if len(unknown):
        problem = f"{results.image_ids[unknown[0]]} is not an image of {annotations.source}"
        raise InputError(problem, file=path, record=f"record[{unknown[0]}]", field="image_id")
    return results


def _require_persons(values: list[Any]) -> None:
    if (as_integers(values) != PERSON_CATEGORY).any():
        raise ValueError(f"must be {PERSON_CATEGORY} (person)")
