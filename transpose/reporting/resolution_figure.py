"""Figure of AP against the input size, a line per model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from transpose.reporting.figure_style import plain, save, style_of, tidy


@dataclass(frozen=True)
class AccuracyCurve:
    """One model at several sizes."""

    title: str
    colour: int
    """Index in the study's list of variants, as in the other figures."""
    dashed: bool
    points: tuple[tuple[tuple[int, int], float], ...]
    """((height, width), AP in per cent) by rising height; AP is NaN if no person is labelled."""


def plot_resolutions(curves: Sequence[AccuracyCurve], heading: str, path: Path) -> None:
    """Plot AP against input height; recomputed embeddings are dashed."""
    figure = Figure(figsize=(8.5, 4.6), layout="constrained")
    axes = figure.subplots()
    for curve in curves:
        dashes = {"linestyle": "--", "markerfacecolor": "white"} if curve.dashed else {}
        style = {**style_of(curve.colour), "markersize": 7, **dashes}
        heights = [size[0] for size, _ in curve.points]
        axes.plot(heights, [ap for _, ap in curve.points], label=plain(curve.title), **style)
    sizes = sorted({size for curve in curves for size, _ in curve.points})
    # Sizes of equal height share a tick and its label.
    labels = {height: ", ".join(f"{h}x{w}" for h, w in sizes if h == height) for height, _ in sizes}
    axes.set_xticks(list(labels), list(labels.values()))
    axes.set(xlabel="input, height x width in pixels", ylabel="AP (%)")
    # The axis spans at least one point, so that tiny differences do not look large.
    axes.set_ylim(0, max(1, axes.get_ylim()[1]))
    tidy(axes)
    if curves:
        figure.legend(*axes.get_legend_handles_labels(), loc="outside right center", frameon=False)
    figure.suptitle(plain(heading), fontsize=11)
    save(figure, path)
