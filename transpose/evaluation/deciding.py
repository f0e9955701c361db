"""The images and persons that decide the difference in AP between two sets of predictions."""

from dataclasses import replace

import numpy as np
from pydantic import NonNegativeInt

from transpose.config.base import Settings
from transpose.data.coco import ImageTable
from transpose.evaluation.error_types.assignment import oks_of_persons
from transpose.evaluation.error_types.mended import Diagnosed
from transpose.evaluation.error_types.scores import passed_thresholds
from transpose.evaluation.matches import MatchTable

LISTED = 10
"""Images and persons that are listed."""

_CANDIDATES = 200
"""Images for which AP is computed without them: those with the most different matches."""
_AT_ONCE = 25


class DecidingImage(Settings):
    """An image and its effect on the difference."""

    image_id: int
    file_name: str
    persons: NonNegativeInt
    effect: float
    """The difference in AP of all images minus that without this image; fraction."""


class DecidingPerson(Settings):
    """A person that one set of predictions finds better."""

    image_id: int
    file_name: str
    annotation_id: int
    oks: tuple[float, float]
    """OKS of the prediction that is assigned to the person, in each set; 0 if there is none."""


def deciding_images(first: MatchTable, second: MatchTable, images: ImageTable) -> tuple[DecidingImage, ...]:
    """Return the images with the largest effects on the AP of `first` minus that of `second`.

    The tables are of the same images and persons.
    """
    unequal = np.abs(_matches_by_image(first) - _matches_by_image(second))
    false_positives = np.abs(_false_positives_by_image(first) - _false_positives_by_image(second))
    candidates = np.lexsort((-false_positives, -unequal))[:_CANDIDATES]
    candidates = candidates[(unequal[candidates] > 0) | (false_positives[candidates] > 0)]
    once = np.ones((1, len(first.image_ids)), dtype=np.int64)
    whole = first.accuracy(once)[0] - second.accuracy(once)[0]
    effects = np.zeros(len(candidates))
    for start in range(0, len(candidates), _AT_ONCE):
        chosen = candidates[start : start + _AT_ONCE]
        weights = np.repeat(once, len(chosen), axis=0)
        weights[np.arange(len(chosen)), chosen] = 0
        effects[start : start + _AT_ONCE] = whole - (first.accuracy(weights) - second.accuracy(weights))
    order = np.argsort(-np.abs(effects), kind="stable")[:LISTED]
    listed, shown = candidates[order], effects[order]
    names = images.find(first.image_ids[listed]).tolist()
    return tuple(
        DecidingImage(image_id=number, file_name=images.file_names[position], persons=persons, effect=effect)
        for number, position, persons, effect in zip(
            first.image_ids[listed].tolist(), names, first.persons[listed].tolist(), shown.tolist(), strict=True
        )
        if effect
    )


def deciding_persons(first: Diagnosed, second: Diagnosed) -> tuple[DecidingPerson, ...]:
    """Return persons whose OKS passes the most different numbers of thresholds, then the most different OKS."""
    persons, images = first.annotations.persons, first.annotations.images
    oks = np.stack([oks_of_persons(one.assignment) for one in (first, second)], axis=1)
    passed = passed_thresholds(oks)
    thresholds = np.abs(passed[:, 0] - passed[:, 1])
    order = np.lexsort((-np.abs(oks[:, 0] - oks[:, 1]), -thresholds))[:LISTED]
    order = order[thresholds[order] > 0]
    names = images.find(persons.image_ids[order]).tolist()
    return tuple(
        DecidingPerson(
            image_id=int(persons.image_ids[row]),
            file_name=images.file_names[position],
            annotation_id=int(persons.annotation_ids[row]),
            oks=(float(oks[row, 0]), float(oks[row, 1])),
        )
        for row, position in zip(order.tolist(), names, strict=True)
    )


def at_threshold(table: MatchTable, threshold: int) -> MatchTable:
    """Return the table of one OKS threshold, by its index; its `accuracy` is, for example, AP50."""
    chosen = slice(threshold, threshold + 1)
    return replace(table, matched=table.matched[:, chosen], ignored=table.ignored[:, chosen])


def _matches_by_image(table: MatchTable) -> np.ndarray:
    """Return the true positives [I] of all thresholds."""
    found = (table.matched & ~table.ignored).sum(axis=1)
    return np.bincount(table.images, weights=found, minlength=len(table.image_ids))


def _false_positives_by_image(table: MatchTable) -> np.ndarray:
    """Return the false positives [I] of all thresholds, weighted by their scores' ranks in [0, 1]."""
    wrong = (~table.matched & ~table.ignored).sum(axis=1)
    ranks = np.searchsorted(np.sort(table.scores), table.scores) / max(1, len(table))
    return np.bincount(table.images, weights=wrong * ranks, minlength=len(table.image_ids))
