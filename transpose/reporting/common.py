"""Shared by the tables of a study's analyses: titles, means over seeds and a check of equal inputs."""

import statistics
from collections.abc import Sequence

from transpose.errors import InputError
from transpose.evaluation.report import Subject

_SHARED = {"annotations_sha256": "annotations", "boxes_sha256": "boxes", "protocol": "protocol"}
"""Fields that must be equal in all reports of a table, with their names in messages."""


def setting_title(subject: Subject) -> str:
    """Return data set, split and boxes as shown in headings."""
    return f"{subject.dataset_title}, {subject.split}, {subject.boxes.replace('_', ' ')} boxes"


def mean_percent(fractions: Sequence[float]) -> float:
    """Return the mean over seeds in per cent; NaN if a value is -1, the evaluator's mark for no result."""
    return 100 * statistics.fmean(fractions) if min(fractions) >= 0 else float("nan")


def check_same_inputs(table: str, named: Sequence[tuple[str, Subject]]) -> None:
    """Check that all reports of a table have the same annotations, boxes and protocol.

    Args:
        named: each report with its name in messages.

    Raises:
        InputError: a report differs from the first.
    """
    _, first = named[0]
    for name, subject in named:
        for field, words in _SHARED.items():
            # A protocol ablation has no protocol of its own.
            if getattr(subject, field, None) != getattr(first, field, None):
                problem = f"not the {words} of {first.variant}, seed {first.seed}; run its rule again"
                raise InputError(table, name, field, problem)
