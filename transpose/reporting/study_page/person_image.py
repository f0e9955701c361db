"""Image of a person: the predicted pose, and the dependency areas of a few keypoints."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
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
_QUALITY = 80


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


class PersonFigure:
    """The pose and the areas of keypoints evenly spread over the skeleton, one person after another.

    The panels of all persons of a model are the same, so they are created and laid out once, which takes most of the
    time.
    """

    def __init__(self, variant: Variant, skeleton: Skeleton) -> None:
        """Create empty panels for crops of the variant's input size."""
        height, width = variant.input_size
        size = (_WIDTH, _ROWS * (_WIDTH / _COLUMNS * height / width + 0.3) + 0.6)
        figure = Figure(figsize=size, dpi=_DPI, layout="constrained")
        self._canvas = FigureCanvasAgg(figure)
        self._skeleton = skeleton
        self._keypoints = np.unique(np.linspace(0, len(skeleton) - 1, _COLUMNS * _ROWS - 1).round().astype(int))
        self._extent = _extent(variant)
        panels = figure.subplots(_ROWS, _COLUMNS).ravel()
        for axes in panels:
            axes.axis("off")
            axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), aspect="equal")
            axes.set_title(" ", fontsize=10)
            # The layout measures ticks also where they are not drawn.
            axes.set(xticks=[], yticks=[])
        self._of_pose, self._of_areas = panels[0], panels[1:]
        self._colours = ScalarMappable(LogNorm(1.0, 2.0), _COLOURS)
        self._bar = figure.colorbar(self._colours, ax=list(panels), location="bottom", shrink=0.6, aspect=40, pad=0.01)
        self._scale_colours(2.0)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")

    def write(self, person: PersonMaps, path: Path) -> None:
        """Write a person's image as WebP, with one colour scale for its areas."""
        norm = self._scale_colours(max(2.0, float(person.areas[self._keypoints].max(initial=2.0))))
        _draw_pose(self._of_pose, person, self._skeleton)
        for axes, keypoint in zip(self._of_areas, self._keypoints, strict=False):
            _draw_area(axes, person, keypoint, norm, self._extent)
            name = self._skeleton.keypoints[keypoint].replace("_", " ")
            axes.set_title(f"{name}, {person.scores[keypoint]:.2f}", fontsize=10)
        # Unlike `savefig`, which draws twice to lay out.
        self._canvas.draw()
        bgr = cv2.cvtColor(np.asarray(self._canvas.buffer_rgba()), cv2.COLOR_RGBA2BGR)
        _, encoded = cv2.imencode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])
        with atomic_path(path) as temporary:
            temporary.write_bytes(encoded.tobytes())

    def _scale_colours(self, highest: float) -> LogNorm:
        norm = LogNorm(1.0, highest)
        self._colours.set_norm(norm)
        steps = [step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500) if step <= highest]
        self._bar.set_ticks(steps, labels=[f"{step}×" for step in steps])
        self._bar.minorticks_off()
        return norm


def _extent(variant: Variant) -> tuple[float, float, float, float]:
    """Return left, right, bottom and top of the grid in crop pixels; see `Grid`."""
    spans = [
        (-0.5 * (side - 1) / (heatmap - 1), (heatmap - 0.5) * (side - 1) / (heatmap - 1))
        for side, heatmap in zip(variant.input_size, variant.heatmap_size, strict=True)
    ]
    (top, bottom), (left, right) = spans
    return left, right, bottom, top


def _draw_pose(axes: Axes, person: PersonMaps, skeleton: Skeleton) -> None:
    _clear(axes)
    _show(axes, person.crop)
    limbs = list(person.keypoints_xy[skeleton.limb_indices])
    for colour, line in (("white", 3.2), ("#0072B2", 1.8)):
        axes.add_collection(LineCollection(limbs, colors=colour, linewidths=line, capstyle="round"), autolim=False)
    x, y = person.keypoints_xy.T
    axes.scatter(x, y, s=16, color="#E69F00", edgecolors="white", linewidths=0.6, zorder=3)
    axes.set_title("predicted pose", fontsize=10)


def _draw_area(
    axes: Axes, person: PersonMaps, keypoint: int, norm: LogNorm, extent: tuple[float, float, float, float]
) -> None:
    _clear(axes)
    _show(axes, person.crop.mean(axis=2), cmap="gray", vmin=0, vmax=255)
    area = person.areas[keypoint]
    # Below uniform attention the crop is grey.
    visible = np.ma.masked_less(area, 1.0)
    _show(axes, visible, cmap=_COLOURS, norm=norm, alpha=0.7, extent=extent)
    x, y = person.keypoints_xy[keypoint]
    axes.scatter([x], [y], marker="*", s=110, color="white", edgecolors="black", linewidths=0.8, zorder=3)


def _clear(axes: Axes) -> None:
    """Remove the artists of the person before."""
    for artist in [*axes.images, *axes.collections]:
        artist.remove()


def _show(axes: Axes, image: np.ndarray, **options: Any) -> None:
    """Draw an image without changing the limits of the axes."""
    limits = axes.axis()
    axes.imshow(image, interpolation="nearest", **options)
    axes.axis(limits)
