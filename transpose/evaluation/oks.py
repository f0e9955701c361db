"""The COCO keypoint evaluation (OKS)."""

from dataclasses import dataclass, replace

import numpy as np

from transpose.data.coco import CocoAnnotations
from transpose.evaluation.matches import STATISTICS, THRESHOLDS, MatchTable, precision_curves, recalls
from transpose.evaluation.matching import match_table, pair_up, require_known_images, similarities
from transpose.evaluation.reference_evaluators import xtcocotools_metrics
from transpose.inference.poses import PoseResults
from transpose.skeleton import Skeleton

second_opinion = xtcocotools_metrics
"""Name used by the frozen `tests/test_reference.py`."""

_AREAS = ((0.0, 1e10), (32.0**2, 96.0**2), (96.0**2, 1e10))
"""Area ranges (inclusive) of all, medium and large persons, in square pixels."""


@dataclass(frozen=True)
class KeypointMetrics:
    """Metrics of one set of results on one annotation file."""

    statistics: dict[str, float]
    """`STATISTICS` by name."""
    images: int
    """Number of images in the annotation file."""
    persons: int
    """Number of evaluated persons: with labelled keypoints and not a crowd."""
    predictions: int
    """Number of predictions."""
    matches: MatchTable
    """Table for the bootstrap; its AP is `statistics["AP"]`."""


def evaluate_keypoints(annotations: CocoAnnotations, results: PoseResults, skeleton: Skeleton) -> KeypointMetrics:
    """Run the COCO evaluation: OKS 0.50:0.95, 20 predictions per image, sigmas of the skeleton.

    Similarities are bitwise equal to those of pycocotools, so the same pairs pass every threshold. It is much faster,
    because it has no Python loop over persons or images.

    Raises:
        InputError: a result is in an image that the annotations do not contain.
    """
    tables = match_tables(annotations, results, skeleton)
    all_sizes = tables[0]
    return KeypointMetrics(
        statistics=_statistics(tables),
        images=len(annotations.images),
        persons=int(all_sizes.persons.sum()),
        predictions=len(results),
        matches=all_sizes,
    )


def match_tables(annotations: CocoAnnotations, results: PoseResults, skeleton: Skeleton) -> tuple[MatchTable, ...]:
    """Match results to persons of all, medium and large size; each table ignores persons of other sizes.

    Raises:
        InputError: a result is in an image that the annotations do not contain.
    """
    require_known_images(annotations, results)
    persons = annotations.persons
    pairs = pair_up(annotations.images.ids, persons, results)
    similarity = similarities(pairs, persons, results.keypoints, skeleton.oks_sigmas)
    uncounted = persons.is_crowd | ~persons.is_labelled
    # The COCO evaluation uses the bounding box of a prediction's keypoints as its area.
    extents = np.ptp(results.keypoints[:, :, :2], axis=1).prod(axis=1)[pairs.detections]

    def table(least: float, most: float) -> MatchTable:
        ignored = uncounted | (persons.areas < least) | (persons.areas > most)
        matches = match_table(pairs, persons, results.scores, similarity, ignored)
        outside = (extents < least) | (extents > most)
        return replace(matches, ignored=matches.ignored | (~matches.matched & outside[:, None]))

    return tuple(table(least, most) for least, most in _AREAS)


def max_abs_difference(first: dict[str, float], second: dict[str, float]) -> float:
    """Return the largest absolute difference between the `STATISTICS` of two evaluators."""
    return max(abs(first[name] - second[name]) for name in STATISTICS)


def _statistics(tables: tuple[MatchTable, ...]) -> dict[str, float]:
    curves, found = [precision_curves(table) for table in tables], [recalls(table) for table in tables]
    half, three_quarters = (int(np.argmin(np.abs(THRESHOLDS - threshold))) for threshold in (0.5, 0.75))
    figures = [
        [values[0].mean(), values[0][half].mean(), values[0][three_quarters].mean(), values[1].mean(), values[2].mean()]
        for values in (curves, found)
    ]
    return dict(zip(STATISTICS, np.concatenate(figures).tolist(), strict=True))
