"""Figure of the attention between keypoints as a matrix."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from transpose.reporting.figure_style import plain, save

_PANELS = ("occluded keypoints", "visible keypoints")


def plot_keypoint_attention(lift: np.ndarray, names: Sequence[str], heading: str, path: Path) -> None:
    """Draw multiples of uniform attention [2, K, K], of occluded and of visible keypoints, on one logarithmic scale.

    Args:
        lift: row i is the query keypoint, column j the keypoint whose neighbourhood is attended to; NaN is grey.
    """
    figure = Figure(figsize=(12.5, 6.8), layout="constrained")
    panels = figure.subplots(1, len(_PANELS), sharey=True)
    largest = float(np.nanmax(lift, initial=2.0))
    # Blue is below uniform attention, red above, white uniform.
    norm = LogNorm(1 / largest, largest)
    # Pairs of keypoints that no person has are grey.
    colours = matplotlib.colormaps["RdBu_r"].with_extremes(bad="0.8")
    image = None
    for axes, matrix, title in zip(panels, lift, _PANELS, strict=True):
        image = axes.imshow(np.clip(matrix, 1 / largest, largest), cmap=colours, norm=norm)
        axes.set_title(title, fontsize=10)
        axes.set_xticks(range(len(names)), list(names), rotation=90, fontsize=8)
        axes.set_yticks(range(len(names)), list(names), fontsize=8)
        axes.set_xlabel("attends to the neighbourhood of")
    panels[0].set_ylabel("cell of")
    assert image is not None
    bar = figure.colorbar(image, ax=panels, shrink=0.8)
    bar.set_label("times uniform attention, last layer, mean over heads")
    steps = [2.0**power for power in range(-6, 7) if 1 / largest <= 2.0**power <= largest]
    bar.set_ticks(steps, labels=[f"{step:g}×" for step in steps])
    bar.minorticks_off()
    figure.suptitle(plain(heading), fontsize=11)
    save(figure, path)
