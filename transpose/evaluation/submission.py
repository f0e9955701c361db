"""Predictions as COCO's evaluation server takes them: one JSON file in a zip of the same name."""

import zipfile
from pathlib import Path

from transpose.data.coco import load_annotations
from transpose.errors import InputError
from transpose.evaluation.results import read_results_on
from transpose.files import atomic_path
from transpose.skeleton import Skeleton

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Equal predictions give equal bytes."""


def write_submission(predictions: Path, annotations: Path, skeleton: Skeleton, output: Path) -> int:
    """Pack COCO keypoint results; `output` is named as the server asks: `person_keypoints_TESTSET_NAME_results.zip`.

    Args:
        annotations: the test set's image-info file; predictions of other images are refused, as the server would.

    Returns:
        Number of persons.

    Raises:
        InputError: the predictions are no COCO results, hold nobody, or are of an image outside of the test set.
    """
    results = read_results_on(predictions, load_annotations(annotations, skeleton), skeleton)
    if not len(results):
        raise InputError(predictions, None, None, "holds nobody; the server refuses an empty list")
    with atomic_path(output) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        member = zipfile.ZipInfo(f"{output.stem}.json", _EPOCH)
        archive.writestr(member, predictions.read_bytes(), zipfile.ZIP_DEFLATED)
    return len(results)
