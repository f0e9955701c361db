"""Compare two results files of any tool on the same images and annotations."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import NonNegativeInt

from transpose.config.base import Settings
from transpose.config.bootstrap import Bootstrap
from transpose.config.dataset import CategoryChoice
from transpose.data.coco import CocoAnnotations
from transpose.errors import InputError
from transpose.evaluation.average_recall import RecallTable
from transpose.evaluation.bootstrap import PerImageTable, paired_difference
from transpose.evaluation.calibration import Calibration, calibrate
from transpose.evaluation.deciding import (
    DecidingImage,
    DecidingPerson,
    at_threshold,
    deciding_images,
    deciding_persons,
)
from transpose.evaluation.error_types.mended import APGains, Diagnosed
from transpose.evaluation.error_types.report import ErrorTypes, diagnose, error_types
from transpose.evaluation.external_annotations import (
    AnnotatedKeypoints,
    images_without_predictions,
    only_images,
    read_annotations,
    require_same_images,
)
from transpose.evaluation.external_results import ExternalResults
from transpose.evaluation.intervals import Estimate, Resamples, estimate_of
from transpose.evaluation.oks import KeypointMetrics, evaluate_keypoints
from transpose.files import sha256_of_file

SMALL_DIFFERENCE = 0.005
"""The difference in AP, as a fraction, for which the needed images are computed."""

_ADVICE = "; --subset evaluates only the images that the files share"


class ComparedResults(Settings):
    """One of the two results files."""

    file: str
    sha256: str
    metrics: dict[str, float]
    """COCO metrics as fractions, -1 where undefined."""
    predictions: NonNegativeInt
    images_without_predictions: NonNegativeInt
    errors: ErrorTypes
    calibration: Calibration


class ResultsComparison(Settings):
    """Two results files, and differences of the first minus the second, with paired intervals over images."""

    skeleton: str
    annotations_sha256: str
    subset: bool
    """Only images in which both files have a prediction were evaluated."""
    images: NonNegativeInt
    persons: NonNegativeInt
    bootstrap: Bootstrap
    results: tuple[ComparedResults, ComparedResults]
    metrics: dict[str, Estimate]
    """AP, AP50, AP75 and AR, as fractions; `count` is the number of persons."""
    errors: dict[str, Estimate]
    """Type of error -> difference of the AP that it costs; `count` is 0."""
    calibration: dict[str, Estimate]
    """Differences of the expected calibration error of keypoint and person scores, where both have one."""
    images_needed: int | None
    """Images with which a difference of `SMALL_DIFFERENCE` would be clear; None if above 1,000 times `images`."""
    deciding_images: tuple[DecidingImage, ...]
    deciding_persons: tuple[DecidingPerson, ...]


@dataclass(frozen=True)
class _Side:
    path: Path
    found: ExternalResults
    metrics: KeypointMetrics
    gains: APGains

    @property
    def diagnosed(self) -> Diagnosed:
        return self.gains.diagnosed

    def summary(self) -> ComparedResults:
        return ComparedResults(
            file=str(self.path),
            sha256=sha256_of_file(self.path),
            metrics=self.metrics.statistics,
            predictions=self.metrics.predictions,
            images_without_predictions=images_without_predictions(self.diagnosed.annotations, self.diagnosed.results),
            errors=error_types(self.gains, with_groups=False),
            calibration=calibrate(self.gains, self.found.has_keypoint_scores),
        )


def compare_results(
    files: tuple[Path, Path],
    annotations: Path,
    of: AnnotatedKeypoints,
    bootstrap: Bootstrap,
    category: CategoryChoice = None,
    subset: bool = False,
) -> ResultsComparison:
    """Compare two results files; images are not read.

    Args:
        subset: evaluate only the images in which both files have a prediction.

    Raises:
        InputError: a file is missing or wrong, or is of other images than the annotations and `subset` is not set.
    """
    read = read_annotations(annotations, of)
    found = [read.read_results(path, category) for path in files]
    truth = read.truth
    if subset:
        shared = np.intersect1d(found[0].results.image_ids, found[1].results.image_ids)
        truth = only_images(truth, shared)
        if not len(shared):
            raise InputError(f"has no prediction in an image in which {files[1]} has one", file=files[0])
    else:
        for path, one in zip(files, found, strict=True):
            require_same_images(path, one, truth, _ADVICE)
    sides = [_side(path, one, truth, of, bootstrap) for path, one in zip(files, found, strict=True)]
    return _comparison(sides[0], sides[1], of, bootstrap, annotations, subset)


def _side(
    path: Path, found: ExternalResults, truth: CocoAnnotations, of: AnnotatedKeypoints, bootstrap: Bootstrap
) -> _Side:
    results = found.results.select(truth.images.find(found.results.image_ids) >= 0)
    metrics = evaluate_keypoints(truth, results, of.skeleton)
    return _Side(path, found, metrics, APGains.of(diagnose(truth, results, of.skeleton), bootstrap))


def _comparison(
    first: _Side, second: _Side, of: AnnotatedKeypoints, bootstrap: Bootstrap, annotations: Path, subset: bool
) -> ResultsComparison:
    ours, theirs = first.summary(), second.summary()
    tables = first.metrics.matches, second.metrics.matches
    pairs: dict[str, tuple[PerImageTable, PerImageTable]] = {
        "AP": tables,
        "AP50": (at_threshold(tables[0], 0), at_threshold(tables[1], 0)),
        "AP75": (at_threshold(tables[0], 5), at_threshold(tables[1], 5)),
        "AR": (RecallTable(tables[0]), RecallTable(tables[1])),
    }
    differences = {
        name: paired_difference(one, other, bootstrap.samples, bootstrap.seed) for name, (one, other) in pairs.items()
    }
    persons = first.metrics.persons
    return ResultsComparison(
        skeleton=of.skeleton.name,
        annotations_sha256=sha256_of_file(annotations),
        subset=subset,
        images=first.metrics.images,
        persons=persons,
        bootstrap=bootstrap,
        results=(ours, theirs),
        metrics={name: estimate_of(found, persons, bootstrap.level) for name, found in differences.items()},
        errors=_differences(_costs(ours.errors), _costs(theirs.errors), bootstrap.level),
        calibration=_differences(_ece(ours.calibration), _ece(theirs.calibration), bootstrap.level),
        images_needed=_images_needed(differences["AP"], bootstrap.level),
        deciding_images=deciding_images(*tables, first.diagnosed.annotations.images),
        deciding_persons=deciding_persons(first.diagnosed, second.diagnosed),
    )


def _costs(errors: ErrorTypes) -> Mapping[str, Estimate]:
    return {**errors.keypoints, **errors.predictions, **errors.scores}


def _ece(calibration: Calibration) -> Mapping[str, Estimate]:
    measured = {"keypoint scores": calibration.keypoints, "person scores": calibration.persons}
    return {name: one.ece for name, one in measured.items() if one is not None}


def _differences(first: Mapping[str, Estimate], second: Mapping[str, Estimate], level: float) -> dict[str, Estimate]:
    """Return the paired differences of the estimates that both have."""
    return {
        name: estimate_of(_resamples(first[name]).minus(_resamples(second[name])), 0, level)
        for name in first
        if name in second
    }


def _resamples(estimate: Estimate) -> Resamples:
    value = np.nan if estimate.value is None else estimate.value
    draws = np.full(1, np.nan) if estimate.draws is None else estimate.draws
    return Resamples(np.array([value]), draws[None], estimate.images)


def _images_needed(difference: Resamples, level: float) -> int | None:
    """Return with how many images a true difference of `SMALL_DIFFERENCE` would be clear."""
    moved = SMALL_DIFFERENCE - difference.values
    return (
        Resamples(difference.values + moved, difference.draws + moved[:, None], difference.images).needed(level).images
    )
