"""What the tables of a study's closer looks share: what they are about, and means over seeds."""

import statistics
from collections.abc import Sequence

from transpose.errors import InputError
from transpose.evaluation.report import Subject

_SHARED = {"annotations_sha256": "annotations", "boxes_sha256": "boxes", "protocol": "protocol"}
"""Fields that reports in one table must agree on, in words."""


def setting_title(subject: Subject) -> str:
    """Data set, split and boxes, as headings name them."""
    return f"{subject.dataset_title}, {subject.split}, {subject.boxes.replace('_', ' ')} boxes"


def mean_percent(fractions: Sequence[float]) -> float:
    """Mean over seeds in per cent; NaN where the evaluator has no answer, which it tells by -1."""
    return 100 * statistics.fmean(fractions) if min(fractions) >= 0 else float("nan")


def check_same_inputs(table: str, named: Sequence[tuple[str, Subject]]) -> None:
    """See that all of a table of one place stands on the same annotations and boxes, and was made by one protocol.

    Args:
        named: what messages call each report, and the report.

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
