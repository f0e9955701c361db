"""Image of a person: the predicted pose, and the dependency areas of a few keypoints."""

from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from transpose.config.variant import Variant
from transpose.files import atomic_path
from transpose.skeleton import Skeleton

_COLUMNS, _ROWS = 3, 2
_WIDTH, _DPI = 6.0, 120
_COLOURS = matplotlib.colormaps["plasma"]
_WEBP = {"quality": 80}


@dataclass(frozen=True)
class PersonMaps:
    """A crop, its predicted pose and its dependency areas in the last layer of the encoder."""

    crop: np.ndarray
    """[H, W, 3] uint8 RGB."""
    keypoints_xy: np.ndarray
    """[K, 2] crop pixels."""
    scores: np.ndarray
    """[K]."""
    areas: np.ndarray
    """[K, h, w] attention of each keypoint's cell to the cells of the grid, in multiples of uniform attention."""


def draw_person(person: PersonMaps, variant: Variant, skeleton: Skeleton, path: Path) -> None:
    """Write the pose and the areas of keypoints evenly spread over the skeleton as WebP, on one colour scale."""
    height, width = person.crop.shape[:2]
    shown = np.unique(np.linspace(0, len(person.areas) - 1, _COLUMNS * _ROWS - 1).round().astype(int))
    size = (_WIDTH, _ROWS * (_WIDTH / _COLUMNS * height / width + 0.3) + 0.6)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(_ROWS, _COLUMNS).ravel()
    for axes in panels:
        axes.axis("off")
        # The layout measures ticks also where they are not drawn.
        axes.set(xticks=[], yticks=[])
    _draw_pose(panels[0], person, skeleton)
    norm = LogNorm(1.0, max(2.0, float(person.areas[shown].max(initial=2.0))))
    for axes, keypoint in zip(panels[1:], shown, strict=False):
        _draw_area(axes, person, keypoint, norm, _extent(variant))
        axes.set_title(f"{skeleton.keypoints[keypoint].replace('_', ' ')}, {person.scores[keypoint]:.2f}", fontsize=10)
    bar = figure.colorbar(
        ScalarMappable(norm, _COLOURS), ax=list(panels), location="bottom", shrink=0.6, aspect=40, pad=0.01
    )
    steps = [step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500) if step <= (norm.vmax or 2.0)]
    bar.set_ticks(steps, labels=[f"{step}×" for step in steps])
    bar.minorticks_off()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="webp", dpi=_DPI, pil_kwargs=_WEBP)


def _extent(variant: Variant) -> tuple[float, float, float, float]:
    """Return left, right, bottom and top of the grid in crop pixels; see `Grid`."""
    spans = [
        (-0.5 * (side - 1) / (heatmap - 1), (heatmap - 0.5) * (side - 1) / (heatmap - 1))
        for side, heatmap in zip(variant.input_size, variant.heatmap_size, strict=True)
    ]
    (top, bottom), (left, right) = spans
    return left, right, bottom, top


def _draw_pose(axes: Axes, person: PersonMaps, skeleton: Skeleton) -> None:
    axes.imshow(person.crop, interpolation="nearest")
    _keep_limits(axes, person)
    limbs = list(person.keypoints_xy[skeleton.limb_indices])
    for colour, line in (("white", 3.2), ("#0072B2", 1.8)):
        axes.add_collection(LineCollection(limbs, colors=colour, linewidths=line, capstyle="round"), autolim=False)
    x, y = person.keypoints_xy.T
    axes.scatter(x, y, s=16, color="#E69F00", edgecolors="white", linewidths=0.6, zorder=3)
    axes.set_title("predicted pose", fontsize=10)


def _draw_area(
    axes: Axes, person: PersonMaps, keypoint: int, norm: LogNorm, extent: tuple[float, float, float, float]
) -> None:
    axes.imshow(person.crop.mean(axis=2), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    area = person.areas[keypoint]
    # Below uniform attention the crop is grey.
    visible = np.ma.masked_less(area, 1.0)
    axes.imshow(visible, cmap=_COLOURS, norm=norm, alpha=0.7, extent=extent, interpolation="nearest")
    _keep_limits(axes, person)
    x, y = person.keypoints_xy[keypoint]
    axes.scatter([x], [y], marker="*", s=110, color="white", edgecolors="black", linewidths=0.8, zorder=3)


def _keep_limits(axes: Axes, person: PersonMaps) -> None:
    height, width = person.crop.shape[:2]
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
