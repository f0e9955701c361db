"""Table of person boxes: their source, the boxes that were dropped, and their AP."""

from collections.abc import Iterable

import pandas as pd

from transpose.data.box_counts import BoxCounts
from transpose.evaluation.box_ap import BoxReport
from transpose.reporting.labels import BOX_WORDS

BoxRow = tuple[BoxCounts, BoxReport | None]
"""Counts of the boxes of a source on a split, and their AP (None for annotated boxes)."""


def box_table(rows: Iterable[BoxRow]) -> pd.DataFrame:
    """Return one row per data set, split and box source, in the given order; AP in per cent, NaN if not measured."""
    return pd.DataFrame([_line(*row) for row in rows])


def _line(counts: BoxCounts, report: BoxReport | None) -> dict[str, object]:
    ap = report.metrics["AP"] if report is not None else -1.0
    return {
        "dataset": counts.dataset_title,
        "split": counts.split,
        "boxes": counts.boxes,
        "kind": counts.kind,
        "box_source": BOX_WORDS[counts.kind],
        "count": counts.kept,
        "dropped": counts.dropped,
        "reasons": _reasons(counts),
        "images": counts.images,
        "images_without_boxes": counts.images_without_boxes,
        "box_AP": 100 * ap if ap >= 0 else float("nan"),
    }


def _reasons(counts: BoxCounts) -> str:
    """Return the reasons for which boxes were dropped, with counts."""
    numbers = {
        "unreadable images": counts.unreadable_images,
        "other categories": counts.other_categories,
        "unknown images": counts.unknown_images,
    }
    if counts.annotated is not None:
        numbers |= {
            "crowds": counts.annotated.crowd,
            "without keypoints": counts.annotated.no_keypoints,
            "without area": counts.annotated.no_area,
            "outside of the image": counts.annotated.outside,
        }
    return ", ".join(f"{number} {words}" for words, number in numbers.items() if number)
