"""Figures of a study: accuracy against cost, training curves, accuracy by keypoint."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from transpose.config.dataset import Accuracy
from transpose.reporting.figure_style import add_legend, plain, save_with_svg, style_of, tidy
from transpose.reporting.labels import BOX_WORDS, count_words
from transpose.reporting.records import ResultRow

_BAR_GAP = 0.025
"""Smallest distance of two bars, as a share of the axis."""


@dataclass(frozen=True)
class TrainingCurve:
    """One training: a point per epoch, and a point per validated epoch."""

    variant: str
    seed: int
    epochs: Sequence[int]
    losses: Sequence[float]
    validated_epochs: Sequence[int]
    values: Sequence[float]
    """Values of `metric`, as fractions."""
    metric: Accuracy = "AP"


def curve_of_history(variant: str, seed: int, history: Sequence[dict]) -> TrainingCurve:
    """Build the curve from the lines of a `history.jsonl`: epoch, loss, and validation (AP or PCKh50) or null."""
    validated = [line for line in history if line.get("validation")]
    metric: Accuracy = "PCKh50" if any("PCKh50" in line["validation"] for line in validated) else "AP"
    return TrainingCurve(
        variant,
        seed,
        [line["epoch"] for line in history],
        [line["loss"] for line in history],
        [line["epoch"] for line in validated],
        [line["validation"][metric] for line in validated],
        metric,
    )


def plot_accuracy_against_cost(rows: Sequence[ResultRow], path: Path) -> None:
    """Plot AP or PCKh50 against multiply-accumulates and parameters, for rows of one data set, split and box source.

    Bars are the intervals of the comparison. Models of nearly equal cost are drawn next to each other. Rows without
    results or cost are not drawn; the heading lists them.

    Raises:
        ValueError: the rows differ in setting or protocol.
    """
    heading = _common_heading(rows)
    shown = [row for row in rows if row.cost is not None and _has_figure(row)]
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    costs = [row.cost for row in shown if row.cost is not None]
    macs = spread([cost.operations.macs / 1e9 for cost in costs])
    parameters = spread([cost.parameters.total / 1e6 for cost in costs])
    for row, *places in zip(shown, macs, parameters, strict=True):
        low, value, high = _accuracy(row)
        ends = [[max(value - low, 0)], [max(high - value, 0)]]
        style = style_of(rows.index(row)) | {"capsize": 3, "markersize": 8}
        for axes, place in zip((left, right), places, strict=True):
            axes.errorbar(place, value, yerr=ends, label=plain(row.title), **style)
    left.set(xlabel="GMACs per crop", ylabel=f"{rows[0].key.metric} (%), 95 % interval")
    right.set(xlabel="parameters (millions)")
    for axes in (left, right):
        tidy(axes)
        axes.margins(x=0.12, y=0.12)
    add_legend(figure, left)
    figure.suptitle(heading + _left_out([row.title for row in rows if row not in shown]), fontsize=11)
    save_with_svg(figure, path)


def plot_training(curves: Sequence[TrainingCurve], path: Path) -> None:
    """Plot loss and validation metric by epoch: one colour per variant, one line per seed."""
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    variants = list(dict.fromkeys(curve.variant for curve in curves))
    named: set[str] = set()
    for curve in curves:
        style = style_of(variants.index(curve.variant)) | {"markersize": 4, "linewidth": 1.6}
        label = None if curve.variant in named else curve.variant
        named.add(curve.variant)
        left.plot(np.add(curve.epochs, 1), curve.losses, **(style | {"marker": ""}))
        right.plot(np.add(curve.validated_epochs, 1), np.multiply(curve.values, 100), label=label, **style)
    left.set(xlabel="epoch", ylabel="training loss (squared error of heatmaps)")
    if any(loss > 0 for curve in curves for loss in curve.losses):
        left.set_yscale("log")
    right.set(xlabel="epoch", ylabel=f"validation {curves[0].metric if curves else 'AP'} (%), ground-truth boxes")
    for axes in (left, right):
        tidy(axes)
        axes.xaxis.get_major_locator().set_params(integer=True)
        # The same epochs in both, also those before the first validation.
        axes.set_xlim(0, 1.02 * max((max(curve.epochs) + 1 for curve in curves if curve.epochs), default=1))
    add_legend(figure, right)
    save_with_svg(figure, path)


def plot_keypoint_accuracy(rows: Sequence[ResultRow], path: Path) -> None:
    """Plot AP or PCKh50 of each keypoint for rows of one data set, split and box source, means over seeds.

    Raises:
        ValueError: the rows differ in setting, protocol or keypoints.
    """
    heading = _common_heading(rows)
    shown = [(index, row, _keypoint_means(row)) for index, row in enumerate(rows) if row.evaluations]
    keypoints = list(shown[0][2]) if shown else []
    if any(list(means) != keypoints for _, _, means in shown):
        raise ValueError("rows of one figure have different keypoints")
    figure = Figure(figsize=(8.5, 1.6 + 0.34 * max(len(keypoints), 4)), layout="constrained")
    axes = figure.subplots()
    rows_y = np.arange(len(keypoints))
    offsets = np.linspace(-0.24, 0.24, len(shown)) if len(shown) > 1 else np.zeros(len(shown))
    for (index, row, means), offset in zip(shown, offsets, strict=True):
        style = style_of(index) | {"linestyle": "none", "markersize": 6}
        axes.plot([means[name] for name in keypoints], rows_y + offset, label=row.title, **style)
    for y in rows_y[1:]:
        axes.axhline(y - 0.5, color="#0001", linewidth=0.8)
    axes.set_yticks(rows_y, [name.replace("_", " ") for name in keypoints])
    axes.set_ylim(max(len(keypoints), 1) - 0.5, -0.5)
    axes.set_xlabel(f"{rows[0].key.metric} of each keypoint (%)")
    tidy(axes)
    axes.grid(visible=False, axis="y")
    add_legend(figure, axes)
    figure.suptitle(heading + _left_out([row.title for row in rows if not row.evaluations]), fontsize=11)
    save_with_svg(figure, path)


def _common_heading(rows: Sequence[ResultRow]) -> str:
    settings = {
        (r.dataset_title, r.key.dataset, r.key.split, r.key.boxes, r.key.boxes_kind, r.key.protocol) for r in rows
    }
    if len(settings) != 1:
        raise ValueError(f"a figure needs one data set, split, box source and protocol, not {len(settings)}")
    sizes = {(report.images, report.persons) for row in rows for report in row.evaluations}
    if len(sizes) > 1:
        raise ValueError("rows of one figure have different images or persons")
    first = rows[0]
    counts = "".join(f"; {count_words(images, persons)}" for images, persons in sizes)
    return f"{plain(first.dataset_title)}, {first.key.split}; {BOX_WORDS[first.key.boxes_kind]}{counts}"


def spread(costs: Sequence[float]) -> list[float]:
    """Return places on an axis of costs at which bars of nearly equal costs do not cover each other."""
    gap = _BAR_GAP * ((max(costs) - min(costs)) or 1.0) if costs else 0.0
    places = list(costs)
    order = sorted(range(len(costs)), key=costs.__getitem__)
    groups: list[list[int]] = []
    for index in order:
        near = groups and costs[index] - costs[groups[-1][-1]] < gap
        groups[-1].append(index) if near else groups.append([index])
    for group in groups:
        middle = sum(costs[index] for index in group) / len(group)
        for position, index in enumerate(group):
            places[index] = middle + gap * (position - (len(group) - 1) / 2)
    return places


def _left_out(titles: list[str]) -> str:
    return f"\nnot run: {plain(', '.join(titles))}" if titles else ""


def _has_figure(row: ResultRow) -> bool:
    """Return whether every seed has a value: the evaluator outputs -1 if no person is labelled."""
    return bool(row.evaluations) and min(report.metrics[row.key.metric] for report in row.evaluations) >= 0


def _accuracy(row: ResultRow) -> tuple[float, float, float]:
    """Return (low, value, high) in per cent; the ends are the value if there is no interval."""
    value = 100 * float(np.mean([report.metrics[row.key.metric] for report in row.evaluations]))
    low, high = (100 * end for end in row.interval) if row.interval else (value, value)
    return low, value, high


def _keypoint_means(row: ResultRow) -> dict[str, float]:
    """Return means over seeds in per cent; NaN, which is not drawn, if the evaluator has no result."""
    seeds = [{one.keypoint: one.accuracy for one in report.keypoints} for report in row.evaluations]
    values = {name: [accuracy[name] for accuracy in seeds] for name in seeds[0]}
    return {name: 100 * float(np.mean(v)) if min(v) >= 0 else float("nan") for name, v in values.items()}
