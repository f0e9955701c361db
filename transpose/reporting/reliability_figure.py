"""Reliability diagrams of keypoint and person scores."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from transpose.evaluation.calibration import Calibration
from transpose.evaluation.reliability import BINS, Reliability
from transpose.reporting.figure_style import save, style_of, tidy


def draw_reliability(calibration: Calibration, path: Path) -> None:
    """Draw what the scores predict against the scores: one diagram for keypoints and one for persons."""
    figure = Figure(figsize=(9, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    _diagram(left, calibration.keypoints, "keypoint score", "OKS term of the keypoint")
    _diagram(right, calibration.persons, "person score", "OKS")
    # Below the diagrams: anywhere in them it could be over points.
    handles, labels = (right if calibration.keypoints is None else left).get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    save(figure, path)


def _diagram(axes: Axes, reliability: Reliability | None, score: str, truth: str) -> None:
    tidy(axes)
    axes.set(xlabel=score, ylabel=truth, xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1)
    if reliability is None or reliability.ece.value is None:
        axes.set_title("not measured", fontsize=10)
        return
    total = reliability.ece.count
    style = style_of(0)
    filled = [(position, one) for position, one in enumerate(reliability.bins) if one.count]
    edges = [position / BINS for position, _ in filled]
    shares = [one.count / total for _, one in filled]
    axes.bar(edges, shares, width=1 / BINS, align="edge", color="0.88", label="share of scores")
    points = [(one.mean_score, one.mean_truth) for _, one in filled if one.mean_score is not None]
    axes.plot(*zip(*points, strict=True), label="mean of each bin", **style)
    axes.set_title(f"calibration error {100 * reliability.ece.value:.1f} % of {total:,} scores", fontsize=10)
