"""Means over seeds, and estimates with intervals as text and as columns of tables."""

import statistics
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

from transpose.config.base import Settings
from transpose.evaluation.intervals import Estimate, Resamples
from transpose.evaluation.subject import Subject
from transpose.reporting.sections import DASH

Block = TypeVar("Block", bound=Settings)


def mean_over_seeds(blocks: Sequence[Block]) -> Block:
    """Return the first of several reports (one per training) with its estimates replaced by their means."""
    first = blocks[0]
    fields = {name: [getattr(block, name) for block in blocks] for name in type(first).model_fields}
    return first.model_copy(update={name: _mean_of(values) for name, values in fields.items()})


def mean_percent(fractions: Sequence[float]) -> float:
    """Return the mean over seeds in per cent; NaN if a value is -1, the evaluator's mark for no result."""
    return 100 * statistics.fmean(fractions) if min(fractions) >= 0 else float("nan")


def mean_estimate(estimates: Sequence[Estimate]) -> Estimate:
    """Return the mean over trainings with the interval of that mean, over images and trainings; see `Resamples`.

    It has no value if a training has none, and no interval if the resamples of a training are not known.
    """
    if len(estimates) == 1:
        return estimates[0]
    values = [one.value for one in estimates if one.value is not None]
    draws = [one.draws for one in estimates if one.draws is not None]
    value, interval, images = None, None, max(one.images for one in estimates)
    if len(values) == len(estimates):
        value = statistics.fmean(values)
        if len(draws) == len(estimates):
            interval = Resamples(np.array(values), np.stack(draws), images).interval()
    low, high = interval or (None, None)
    count = max(one.count for one in estimates)
    return Estimate(value=value, low=low, high=high, count=count, images=images, trainings=len(estimates))


def about(report: Subject, seeds: int) -> dict[str, object]:
    """Return the columns that identify a row."""
    return {
        "variant": report.variant,
        "model": report.title,
        "dataset": report.dataset_title,
        "split": report.split,
        "boxes": report.boxes,
        "seeds": seeds,
    }


def estimate_rows(
    report: Subject, names: Sequence[str], estimates: Iterable[tuple[Sequence[object], Estimate]]
) -> list[dict[str, object]]:
    """Return one row per estimate of a model, unrounded.

    Args:
        names: columns that say what is estimated.
        estimates: the values of these columns and the estimate.
    """
    columns = ("value", "low", "high", "count", "images")
    return [
        about(report, estimate.trainings)
        | dict(zip(names, what, strict=True))
        | {column: getattr(estimate, column) for column in columns}
        for what, estimate in estimates
    ]


def difference_columns(difference: Estimate | None) -> dict[str, object]:
    """Return the columns of a difference of AP, in points."""
    ends = (None,) * 3 if difference is None else (difference.value, difference.low, difference.high)
    points = (None if end is None else 100 * end for end in ends)
    return dict(zip(("difference", "difference_low", "difference_high"), points, strict=True))


def words_of(estimate: Estimate, digits: int = 1, factor: float = 1.0, signed: bool = False) -> str:
    """Return `12.3 [10.1, 14.5]`, each number times `factor`; a dash if there is no value."""
    if estimate.value is None:
        return DASH
    value = _number(estimate.value * factor, digits, signed)
    if estimate.low is None or estimate.high is None:
        return value
    low, high = (_number(end * factor, digits, signed) for end in (estimate.low, estimate.high))
    return f"{value} [{low}, {high}]"


def _mean_of(values: list[Any]) -> Any:
    if isinstance(values[0], Estimate):
        return mean_estimate(values)
    if isinstance(values[0], Settings):
        return mean_over_seeds(values)
    if isinstance(values[0], tuple):
        return tuple(_mean_of(list(items)) for items in zip(*values, strict=True))
    return values[0]


def _number(value: float, digits: int, signed: bool) -> str:
    rounded = round(value, digits) or 0.0  # avoids a sign before a zero
    sign = "+" if signed and rounded > 0 else ""
    return f"{sign}{rounded:.{digits}f}".replace("-", "−")
