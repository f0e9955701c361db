"""Tables of measured and published results as data frames. AP, AR and PCKh in per cent, NaN if missing."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from transpose.config.dataset import Accuracy
from transpose.config.study import EvalProtocol
from transpose.data.box_counts import BoxCounts
from transpose.evaluation.box_ap import BoxReport
from transpose.evaluation.crowding import CROWDING
from transpose.reporting.labels import BOX_WORDS, NOT_RUN, PUBLISHED_ONLY, decisive, protocol_words, size_words
from transpose.reporting.published import Published, PublishedRow, published_row
from transpose.reporting.records import ResultRow

BoxRow = tuple[BoxCounts, BoxReport | None]
"""Counts of the boxes of a source on a split, and their AP (None for annotated boxes)."""

TOLERANCE = 0.5
"""Points by which a reproduction may differ from the published value."""

_METRICS: Mapping[Accuracy, tuple[str, ...]] = {
    "AP": ("AP", "AP50", "AP75", "APM", "APL", "AR"),
    "PCKh50": ("PCKh50", "PCKh11", "PCKh10"),
}
"""Columns of a row, by the main metric of its evaluation."""


def comparison_table(
    rows: list[ResultRow], published: Published, external: Sequence[Mapping[str, object]] = ()
) -> pd.DataFrame:
    """Return one row per variant, data set, split, box source and protocol, in the given order.

    `metric` is the main metric, below AP. `AP_std` is the standard deviation over seeds (NaN for one seed), `AP_low`
    and `AP_high` the interval of the mean over images and, with several seeds, over trainings. `published_AP` and
    `difference` are NaN if the results are not comparable; `verdict` then gives the reason. `AP_easy`, `AP_medium` and
    `AP_hard` are columns only if a data set has a crowd index. Rows of `external` results, which have these columns,
    come last.
    """
    lines = [_identity(row) | _measured(row) | _cost(row) | _comparison(row, published) for row in rows]
    return pd.DataFrame([*lines, *external])


def verdict_table(rows: list[ResultRow], published: Published) -> pd.DataFrame:
    """Return one row per published row (several if several variants reproduce it) with its reproduction."""
    lines = []
    for target in published.rows:
        benchmark, boxes = published.benchmarks[target.benchmark], published.boxes[target.boxes]
        candidates = [row for row in rows if counterpart(row, published)[0] is target]
        line: dict[str, object] = {
            "model": target.model,
            "benchmark": benchmark.title,
            "boxes": boxes.title,
            "input": size_words(target.input_size),
            "metric": benchmark.metric,
            "published": target.metrics.get(benchmark.metric, float("nan")),
            "confirmed": target.is_confirmed(benchmark.metric),
            "source": target.source,
            "note": target.note,
        }
        unmeasured = PUBLISHED_ONLY if target.published_only else NOT_RUN
        for row in candidates or [None]:
            measured = _mean(row, benchmark.metric) if row is not None else float("nan")
            lines.append(
                line
                | {
                    "variant": row.key.variant if row is not None else "",
                    "measured": measured,
                    "difference": measured - target.metrics.get(benchmark.metric, float("nan")),
                    "tolerance": TOLERANCE,
                    "verdict": _verdict(row, target) if row is not None else unmeasured,
                }
            )
    return pd.DataFrame(lines)


def box_table(rows: Iterable[BoxRow]) -> pd.DataFrame:
    """Return one row per data set, split and box source, in the given order; AP in per cent, NaN if not measured."""
    return pd.DataFrame([_box_line(*row) for row in rows])


def counterpart(row: ResultRow, published: Published) -> tuple[PublishedRow | None, str]:
    """Return the published row that a measured row is comparable with, or None and the reason.

    Rows are comparable only on the whole published benchmark with the published boxes, the published input size and
    the official protocol. A different number of images means another data set under the same name.
    """
    kind = row.key.boxes_kind
    if row.published is None:
        return None, "nothing published"
    if row.benchmark is None or row.benchmark not in published.benchmarks:
        return None, "data set without published figures"
    if kind == "simulated":
        return None, "simulated boxes"
    if kind == "detector":
        return None, "another detector's boxes"
    target = published_row(published, row.published, row.benchmark, kind)
    benchmark = published.benchmarks[row.benchmark]
    if row.key.metric != benchmark.metric:
        return None, f"evaluated by {row.key.metric}, not by {benchmark.metric}"
    if target is None or benchmark.metric not in target.metrics:
        return None, "nothing published for this data set and boxes"
    if decisive(row.key.protocol) != decisive(EvalProtocol()):
        return None, "another evaluation protocol"
    if row.input_size != target.input_size:
        return None, "another input size"
    boxes = published.boxes[target.boxes].count
    for report in row.evaluations:
        if benchmark.images is not None and report.images != benchmark.images:
            return None, f"{report.images} images instead of {benchmark.images}"
        if benchmark.persons is not None and report.persons != benchmark.persons:
            return None, f"{report.persons} persons instead of {benchmark.persons}"
        if boxes is not None and report.box_count != boxes:
            return None, f"not the published {boxes} boxes"
    return target, ""


def _identity(row: ResultRow) -> dict[str, object]:
    first = row.evaluations[0] if row.evaluations else None
    key = row.key
    return {
        "variant": key.variant,
        "model": row.title,
        "dataset": row.dataset_title,
        "split": key.split,
        "boxes": key.boxes,
        "box_source": BOX_WORDS[key.boxes_kind],
        "protocol": protocol_words(key.protocol),
        "metric": key.metric,
        "input": size_words(row.input_size),
        "initialisation": "; ".join(dict.fromkeys(report.initialisation for report in row.evaluations)),
        "images": first.images if first else pd.NA,
        "persons": first.persons if first else pd.NA,
        "seeds": len(row.evaluations),
        "seeds_planned": row.seeds_planned,
    }


def _measured(row: ResultRow) -> dict[str, object]:
    metric = row.key.metric
    means: dict[str, object] = {name: _mean(row, name) for name in _METRICS[metric]}
    values = _values(row, metric)
    low, high = row.interval or (None, None)
    return {
        **means,
        **_crowding_means(row),
        f"{metric}_std": statistics.stdev(values) if len(values) > 1 else float("nan"),
        f"{metric}_low": points(low),
        f"{metric}_high": points(high),
    }


def _crowding_means(row: ResultRow) -> dict[str, float]:
    """Return AP by crowd index; empty if the annotations have no crowd index."""
    found = [report.crowding for report in row.evaluations if report.crowding is not None]
    aps = {name: [100 * subsets[name].ap for subsets in found if subsets[name].ap >= 0] for name in CROWDING if found}
    return {f"AP_{name}": statistics.fmean(values) if values else float("nan") for name, values in aps.items()}


def _cost(row: ResultRow) -> dict[str, object]:
    if row.cost is None:
        return dict.fromkeys(("params_m", "trainable_m", "gmacs", "gmacs_as_published"), float("nan"))
    return {
        "params_m": row.cost.parameters.total / 1e6,
        "trainable_m": row.cost.parameters.trainable / 1e6,
        "gmacs": row.cost.operations.macs / 1e9,
        "gmacs_as_published": row.cost.operations.macs_as_published / 1e9,
    }


def _comparison(row: ResultRow, published: Published) -> dict[str, object]:
    target, reason = counterpart(row, published)
    metric = row.key.metric
    value = target.metrics[metric] if target else float("nan")
    return {
        f"published_{metric}": value,
        "published_confirmed": target.is_confirmed(metric) if target else pd.NA,
        **_published_extra(metric, target),
        "difference": _mean(row, metric) - value,
        "comparable": target is not None,
        "verdict": _verdict(row, target) if target else f"not comparable: {reason}",
        "status": "measured" if row.evaluations else NOT_RUN,
        "notes": "; ".join(row.notes),
    }


def _published_extra(metric: Accuracy, target: PublishedRow | None) -> dict[str, object]:
    """Return published values that have no verdict."""
    if metric != "PCKh50":
        return {}
    if target is None or "PCKh11" not in target.metrics:
        return {"published_PCKh11": float("nan"), "published_PCKh11_confirmed": pd.NA}
    return {
        "published_PCKh11": target.metrics["PCKh11"],
        "published_PCKh11_confirmed": target.is_confirmed("PCKh11"),
    }


def _verdict(row: ResultRow, target: PublishedRow) -> str:
    metric = row.key.metric
    measured = _mean(row, metric)
    if not row.evaluations:
        return NOT_RUN
    if math.isnan(measured):
        return f"no {metric}: no labelled person"
    confirmed = "" if target.is_confirmed(metric) else ", published value unconfirmed"
    # Both values are printed with one decimal, so the difference is computed from rounded values.
    within = abs(round(measured, 1) - target.metrics[metric]) <= TOLERANCE + 1e-9
    return f"{'reproduced' if within else 'not reproduced'} (±{TOLERANCE:g} {metric}{confirmed})"


def _values(row: ResultRow, metric: str) -> list[float]:
    values = [report.metrics[metric] for report in row.evaluations if metric in report.metrics]
    return [100 * value for value in values if value >= 0]


def _mean(row: ResultRow, metric: str) -> float:
    values = _values(row, metric)
    return statistics.fmean(values) if values else float("nan")


def points(fraction: float | None) -> float:
    """Return a fraction in per cent; NaN for None."""
    return float("nan") if fraction is None else 100 * fraction


def _box_line(counts: BoxCounts, report: BoxReport | None) -> dict[str, object]:
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
