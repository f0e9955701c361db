"""The COCO keypoint evaluation (OKS), and the two evaluators of others that judge it."""

import importlib
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import pycocotools.coco as pycoco
import pycocotools.cocoeval as pycocoeval

from transpose.data.coco import CocoAnnotations
from transpose.errors import InputError
from transpose.evaluation.matches import THRESHOLDS, MatchTable, precision_curves, recalls
from transpose.evaluation.matching import match_greedily, pair_up
from transpose.evaluation.reference_evaluators import evaluated_by
from transpose.evaluation.similarity import similarities
from transpose.inference.poses import PoseResults
from transpose.skeleton import Skeleton

STATISTICS = ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL")
"""The COCO evaluation's figures, in its order: fractions, and -1 where there is nobody to find."""

_AREAS = ((0.0, 1e10), (32.0**2, 96.0**2), (96.0**2, 1e10))
"""Square pixels of persons of all, medium and large size: from, to, both included."""


@dataclass(frozen=True)
class KeypointMetrics:
    """Figures of one set of results on one annotation file."""

    statistics: dict[str, float]
    """`STATISTICS` by name."""
    images: int
    """Images of the annotation file."""
    persons: int
    """Annotated persons that count: with labelled keypoints and no crowd."""
    predictions: int
    """Predictions handed in."""
    matches: MatchTable
    """What the bootstrap resamples; its AP is `statistics["AP"]`."""


def evaluate_keypoints(annotations: CocoAnnotations, results: PoseResults, skeleton: Skeleton) -> KeypointMetrics:
    """The COCO evaluation: OKS 0.50:0.95, 20 predictions an image, sigmas of the skeleton.

    Equal to pycocotools' to the last bit of a similarity, so that every threshold is passed by the same pairs, and much
    faster: no Python for a person or an image.

    Raises:
        InputError: a result is of an image that the annotations do not have.
    """
    tables = match_tables(annotations, results, skeleton)
    everybody = tables[0]
    return KeypointMetrics(
        statistics=_statistics(tables),
        images=len(annotations.images),
        persons=int(everybody.persons.sum()),
        predictions=len(results),
        matches=everybody,
    )


def match_tables(annotations: CocoAnnotations, results: PoseResults, skeleton: Skeleton) -> tuple[MatchTable, ...]:
    """Matches to persons of all, medium and large size; the others are ignored in turn.

    Raises:
        InputError: a result is of an image that the annotations do not have.
    """
    _require_known_images(annotations, results)
    persons = annotations.persons
    pairs = pair_up(annotations.images.ids, persons, results)
    similarity = similarities(pairs, persons, results.keypoints, skeleton.oks_sigmas)
    uncounted = persons.is_crowd | ~(persons.keypoints[:, :, 2] > 0).any(axis=1)
    # The evaluation takes the extent of a prediction's keypoints for its area.
    extents = np.ptp(results.keypoints[:, :, :2], axis=1).prod(axis=1)[pairs.detections]

    def table(least: float, most: float) -> MatchTable:
        ignored = uncounted | (persons.areas < least) | (persons.areas > most)
        matched, on_ignored = match_greedily(pairs, similarity, ignored, persons.is_crowd)
        outside = (extents < least) | (extents > most)
        return MatchTable(
            image_ids=pairs.image_ids,
            persons=np.bincount(pairs.person_images[~ignored], minlength=len(pairs.image_ids)),
            images=pairs.detection_images,
            scores=results.scores[pairs.detections],
            matched=matched,
            ignored=on_ignored | (~matched & outside[:, None]),
        )

    return tuple(table(least, most) for least, most in _AREAS)


def pycocotools_metrics(annotations: CocoAnnotations, results: PoseResults, skeleton: Skeleton) -> dict[str, float]:
    """`STATISTICS` as pycocotools gives them, at the price of its speed.

    Raises:
        InputError: as `evaluate_keypoints`.
    """
    _require_known_images(annotations, results)

    def evaluator(truth: pycoco.COCO, predictions: pycoco.COCO) -> pycocoeval.COCOeval:
        made = pycocoeval.COCOeval(truth, predictions, "keypoints")
        made.params.kpt_oks_sigmas = skeleton.oks_sigmas
        return made

    return _named(evaluated_by(pycoco.COCO, evaluator, annotations, results).stats)


def xtcocotools_metrics(
    annotations: CocoAnnotations, results: PoseResults, skeleton: Skeleton
) -> dict[str, float] | None:
    """`STATISTICS` as xtcocotools gives them, or None where it is not installed.

    Its mask functions fail with NumPy 2; keypoint evaluation never calls them.

    Raises:
        InputError: as `evaluate_keypoints`.
    """
    coco, cocoeval = _module("xtcocotools.coco"), _module("xtcocotools.cocoeval")
    if coco is None or cocoeval is None:
        return None
    _require_known_images(annotations, results)

    def evaluator(truth: object, predictions: object) -> object:
        return cocoeval.COCOeval(truth, predictions, "keypoints", sigmas=skeleton.oks_sigmas)

    return _named(evaluated_by(coco.COCO, evaluator, annotations, results).stats)


second_opinion = xtcocotools_metrics
"""The name that `tests/test_reference.py` calls it by."""


def max_abs_difference(first: dict[str, float], second: dict[str, float]) -> float:
    """Largest absolute difference between two evaluators' `STATISTICS`."""
    return max(abs(first[name] - second[name]) for name in STATISTICS)


def _require_known_images(annotations: CocoAnnotations, results: PoseResults) -> None:
    unknown = np.flatnonzero(annotations.images.find(results.image_ids) < 0)
    if len(unknown):
        problem = f"result {unknown[0]} is of the image {results.image_ids[unknown[0]]}, which is not there"
        raise InputError(annotations.source, None, "images", problem)


def _statistics(tables: tuple[MatchTable, ...]) -> dict[str, float]:
    curves, found = [precision_curves(table) for table in tables], [recalls(table) for table in tables]
    half, three_quarters = (int(np.argmin(np.abs(THRESHOLDS - threshold))) for threshold in (0.5, 0.75))
    figures = [
        [values[0].mean(), values[0][half].mean(), values[0][three_quarters].mean(), values[1].mean(), values[2].mean()]
        for values in (curves, found)
    ]
    return _named(np.concatenate(figures))


def _named(statistics: np.ndarray) -> dict[str, float]:
    return dict(zip(STATISTICS, map(float, statistics), strict=True))


def _module(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
