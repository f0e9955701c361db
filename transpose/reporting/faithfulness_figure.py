"""Figure of deletion and insertion curves: a column per model, a line per ranking."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from transpose.attention.records import DIRECTIONS, Curve, FaithfulnessReport
from transpose.reporting.figure_style import plain, save, style_of, tidy

_LABELS = {"deletion": "deletion: share masked", "insertion": "insertion: share kept"}


def plot_curves(reports: Sequence[FaithfulnessReport], words: Mapping[str, str], heading: str, path: Path) -> None:
    """Plot keypoint similarity against the share of the cells, with the interval of attention shaded.

    Args:
        reports: one per model.
        words: legend label of each ranking.
    """
    figure = Figure(figsize=(2.6 + 2.7 * len(reports), 6), layout="constrained")
    panels = figure.subplots(len(DIRECTIONS), len(reports), squeeze=False, sharey="row")
    for column, report in enumerate(reports):
        for row, direction in enumerate(DIRECTIONS):
            axes = panels[row, column]
            _draw(axes, [curve for curve in report.curves if curve.direction == direction], report.shares, words)
            axes.set_xlabel(_LABELS[direction])
            tidy(axes)
        panels[0, column].set_title(plain(report.title), fontsize=10)
    for row in panels:
        row[0].set_ylabel("keypoint similarity")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside right center", frameon=False)
    figure.suptitle(plain(heading), fontsize=11)
    save(figure, path)


def _draw(axes: Axes, curves: Sequence[Curve], shares: Sequence[float], words: Mapping[str, str]) -> None:
    for curve in curves:
        style: dict[str, Any] = style_of(list(words).index(curve.ranking)) | {"markersize": 4}
        axes.plot(shares, _column(curve, "value"), label=words[curve.ranking], **style)
        if curve.margin is None:
            low, high = _column(curve, "low"), _column(curve, "high")
            axes.fill_between(shares, low, high, color=style["color"], alpha=0.15, linewidth=0)


def _column(curve: Curve, name: str) -> np.ndarray:
    """Return values or interval ends at each share; NaN if there is none."""
    return np.array([getattr(point, name) for point in curve.similarities], dtype=np.float64)
