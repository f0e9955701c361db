"""Reliability diagrams of keypoint and person scores."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from transpose.evaluation.calibration import Calibration
from transpose.evaluation.reliability import BINS, Reliability
from transpose.reporting.figure_style import plain, style_of, tidy


def reliability_figure(calibrations: Mapping[str, Calibration]) -> Figure:
    """Draw what the scores predict against the scores: one diagram for keypoints and one for persons.

    Args:
        calibrations: by the title of the model; the shares of the scores are drawn for a single one.
    """
    figure = Figure(figsize=(9, 4.4 + 0.2 * (len(calibrations) // 3)), layout="constrained")
    left, right = figure.subplots(1, 2)
    keypoints = {title: one.keypoints for title, one in calibrations.items()}
    persons = {title: one.persons for title, one in calibrations.items()}
    _diagram(left, keypoints, "keypoint score", "OKS term of the keypoint")
    _diagram(right, persons, "person score", "OKS")
    entries = {
        label: handle for axes in (left, right) for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    # Below the diagrams: anywhere in them it could be over points.
    figure.legend(entries.values(), entries, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def _diagram(axes: Axes, models: Mapping[str, Reliability | None], score: str, truth: str) -> None:
    tidy(axes)
    axes.set(xlabel=score, ylabel=truth, xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1)
    measured = {title: one for title, one in models.items() if one is not None and one.ece.value is not None}
    if not measured:
        axes.set_title("not measured", fontsize=10)
    if len(models) == 1:
        for reliability in measured.values():
            _add_shares(axes, reliability)
    for index, title in enumerate(models):
        if title in measured:
            filled = [one for one in measured[title].bins if one.mean_score is not None]
            points = [(one.mean_score, one.mean_truth) for one in filled]
            label = "mean of each bin" if len(models) == 1 else plain(title)
            axes.plot(*zip(*points, strict=True), label=label, markersize=5, **style_of(index))


def _add_shares(axes: Axes, reliability: Reliability) -> None:
    """Draw the share of the scores in each bin, and write the calibration error above."""
    assert reliability.ece.value is not None
    total = reliability.ece.count
    filled = [(position, one.count / total) for position, one in enumerate(reliability.bins) if one.count]
    edges, shares = [position / BINS for position, _ in filled], [share for _, share in filled]
    axes.bar(edges, shares, width=1 / BINS, align="edge", color="0.88", label="share of scores")
    axes.set_title(f"calibration error {100 * reliability.ece.value:.1f} % of {total:,} scores", fontsize=10)
