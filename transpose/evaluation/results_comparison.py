"""Compare two results files of any tool on the same images and annotations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import NonNegativeInt, PositiveInt

from transpose.config.base import Settings
from transpose.config.bootstrap import Bootstrap
from transpose.config.dataset import CategoryChoice
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
from transpose.evaluation.intervals import Estimate, Needed, Resamples, estimate_of
from transpose.evaluation.matches import MatchTable
from transpose.evaluation.oks import KeypointMetrics, evaluate_keypoints
from transpose.evaluation.sign_flips import sign_flip_p
from transpose.files import sha256_of_file

SMALL_DIFFERENCE = 0.005
"""The difference in AP, as a fraction, for which the needed images and trainings are computed."""

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
    """Only images in which all files have a prediction were evaluated."""
    images: NonNegativeInt
    persons: NonNegativeInt
    bootstrap: Bootstrap
    results: tuple[ComparedResults, ComparedResults]
    trainings: PositiveInt
    """Pairs of results files that `metrics` are the mean of; all else is of the first pair."""
    metrics: dict[str, Estimate]
    """AP, AP50, AP75 and AR, as fractions; `count` is the number of persons."""
    errors: dict[str, Estimate]
    """Type of error -> difference of the AP that it costs; `count` is 0."""
    calibration: dict[str, Estimate]
    """Differences of the expected calibration error of keypoint and person scores, where both have one."""
    images_needed: int | None
    """Images with which a difference of `SMALL_DIFFERENCE` would be clear; None if above 1,000 times `images`."""
    trainings_needed: int | None
    """The same for pairs of trainings on these images; None if unknown, with one pair, or if no number would do."""
    half_widths: tuple[float, float] | None
    """Parts of half the interval of AP from images and from trainings; None with one pair."""
    sign_flip_p: float | None
    """p-value of the sign-flip test of AP over the pairs of trainings; None with one pair."""
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
    more: Sequence[tuple[Path, Path]] = (),
) -> ResultsComparison:
    """Compare two results files; images are not read.

    Args:
        subset: evaluate only the images in which all files have a prediction.
        more: results of further trainings of both models, in pairs.

    Raises:
        InputError: a file is missing or wrong, or is of other images than the annotations and `subset` is not set.
    """
    read = read_annotations(annotations, of)
    pairs = [files, *more]
    found = {path: read.read_results(path, category) for pair in pairs for path in pair}
    truth = read.truth
    if subset:
        truth = only_images(truth, _shared_images(found))
    else:
        for path, one in found.items():
            require_same_images(path, one, truth, _ADVICE)
    results = {path: one.results.select(truth.images.find(one.results.image_ids) >= 0) for path, one in found.items()}
    metrics = {path: evaluate_keypoints(truth, one, of.skeleton) for path, one in results.items()}
    first, second = (
        _Side(path, found[path], metrics[path], APGains.of(diagnose(truth, results[path], of.skeleton), bootstrap))
        for path in files
    )
    trainings = [_metric_differences(metrics[one].matches, metrics[other].matches, bootstrap) for one, other in pairs]
    differences = {name: Resamples.joined([one[name] for one in trainings]) for name in trainings[0]}
    values = _values(first, second, differences, bootstrap)
    return ResultsComparison(annotations_sha256=sha256_of_file(annotations), subset=subset, **values)


def _shared_images(found: Mapping[Path, ExternalResults]) -> np.ndarray:
    """Return the ids of the images in which all files have a prediction."""
    (first, shared), *others = ((path, np.unique(one.results.image_ids)) for path, one in found.items())
    for path, image_ids in others:
        shared = np.intersect1d(shared, image_ids)
        if not len(shared):
            raise InputError(f"has no prediction in an image in which {path} has one", file=first)
    return shared


def _metric_differences(first: MatchTable, second: MatchTable, bootstrap: Bootstrap) -> dict[str, Resamples]:
    """Return the paired differences of two trainings by metric."""
    tables: dict[str, tuple[PerImageTable, PerImageTable]] = {
        "AP": (first, second),
        "AP50": (at_threshold(first, 0), at_threshold(second, 0)),
        "AP75": (at_threshold(first, 5), at_threshold(second, 5)),
        "AR": (RecallTable(first), RecallTable(second)),
    }
    return {name: paired_difference(*pair, bootstrap.samples, bootstrap.seed) for name, pair in tables.items()}


def _values(first: _Side, second: _Side, differences: Mapping[str, Resamples], bootstrap: Bootstrap) -> dict[str, Any]:
    """Return the fields of `ResultsComparison` that do not depend on the annotation file."""
    ours, theirs = first.summary(), second.summary()
    level, persons = bootstrap.level, first.metrics.persons
    needed, spread = _needed(differences["AP"], level), differences["AP"].spread()
    tables = first.metrics.matches, second.metrics.matches
    return {
        "skeleton": first.diagnosed.skeleton.name,
        "images": first.metrics.images,
        "persons": persons,
        "bootstrap": bootstrap,
        "results": (ours, theirs),
        "trainings": differences["AP"].trainings,
        "metrics": {name: _estimate(found, persons, level) for name, found in differences.items()},
        "errors": _differences(ours.errors.costs, theirs.errors.costs, level),
        "calibration": _differences(_ece(ours.calibration), _ece(theirs.calibration), level),
        "images_needed": needed.images,
        "trainings_needed": needed.trainings,
        "half_widths": spread.half_widths(level) if spread and spread.trainings > 1 else None,
        "sign_flip_p": sign_flip_p(differences["AP"].values),
        "deciding_images": deciding_images(*tables, first.diagnosed.annotations.images),
        "deciding_persons": deciding_persons(first.diagnosed, second.diagnosed),
    }


def _estimate(difference: Resamples, count: int, level: float) -> Estimate:
    """Return the mean difference over trainings, with an interval over images and trainings."""
    return estimate_of(difference, count, level).model_copy(update={"trainings": difference.trainings})


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


def _needed(difference: Resamples, level: float) -> Needed:
    """Return with how many images or trainings a true difference of `SMALL_DIFFERENCE` would be clear."""
    moved = SMALL_DIFFERENCE - difference.values.mean()
    return Resamples(difference.values + moved, difference.draws + moved, difference.images).needed(level)
