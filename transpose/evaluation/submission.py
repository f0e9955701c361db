"""Submission to the COCO evaluation server: one JSON file in a zip of the same name."""

import zipfile
from pathlib import Path

from transpose.data.coco import load_annotations
from transpose.errors import InputError
from transpose.evaluation.results import read_results_on
from transpose.files import atomic_path
from transpose.skeleton import Skeleton

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Fixed time stamp, so that equal predictions give equal bytes."""


def write_submission(predictions: Path, annotations: Path, skeleton: Skeleton, output: Path) -> int:
    """Write COCO keypoint results as a zip file.

    Args:
        annotations: the test set's image-info file; predictions in other images are refused, as on the server.
        output: the server requires the name `person_keypoints_TESTSET_NAME_results.zip`.

    Returns:
        Number of persons.

    Raises:
        InputError: the predictions are not COCO results, are empty, or are in an image outside the test set.
    """
    results = read_results_on(predictions, load_annotations(annotations, skeleton), skeleton)
    if not len(results):
        raise InputError("contains no predictions; the server refuses an empty list", file=predictions)
    with atomic_path(output) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        member = zipfile.ZipInfo(f"{output.stem}.json", _EPOCH)
        archive.writestr(member, predictions.read_bytes(), zipfile.ZIP_DEFLATED)
    return len(results)
