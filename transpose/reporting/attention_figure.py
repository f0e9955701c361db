"""Figure of one person's dependency or affected areas: a row per layer, a column per keypoint, one colour scale."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from transpose.attention.maps.grid import Grid
from transpose.reporting.figure_style import plain, save
from transpose.skeleton import Skeleton

AreaKind = Literal["dependency", "affected"]

_TITLES: dict[AreaKind, str] = {
    "dependency": "dependency area: the cells that each keypoint's cell attends to",
    "affected": "affected area: the cells that attend to each keypoint's cell",
}
_COLOURS = matplotlib.colormaps["plasma"]
_OPACITY = 0.75
# In pixels of the figure.
_PANEL_WIDTH = 96
_GAP = 3
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 92, 80, 8
_DPI = 100


@dataclass(frozen=True)
class AttentionPanel:
    """A crop, its predicted pose and its attention areas.

    `crop` uint8 RGB [H, W, 3]; `keypoints_xy` [K, 2] in crop pixels; `scores` [K]; `areas` [layers, K, L] attention on
    the grid in the unflipped pass, averaged over heads.
    """

    crop: np.ndarray
    keypoints_xy: np.ndarray
    scores: np.ndarray
    areas: np.ndarray
    grid: Grid


def draw_attention(
    person: AttentionPanel, kind: AreaKind, skeleton: Skeleton, title: str, path: Path, threshold: float = 1.0
) -> None:
    """Write one figure as PNG.

    Colours show attention in multiples of uniform attention, on a logarithmic scale shared by all panels. Below
    `threshold` the crop is shown in grey. White stars mark the queries: the predicted keypoints.

    Args:
        title: one line of plain text that names the model and the person.
        threshold: multiple of uniform attention, larger than 0.
    """
    layers, keypoints = person.areas.shape[:2]
    scale = _PANEL_WIDTH / person.crop.shape[1]
    panel = (round(person.crop.shape[0] * scale), _PANEL_WIDTH)
    maps = person.grid.on_crop(torch.from_numpy(person.areas) / person.grid.uniform, panel).numpy()
    norm = LogNorm(vmin=threshold, vmax=max(float(maps.max(initial=0)), 2 * threshold))
    mosaic = _mosaic(person.crop, maps, norm)

    width, height = mosaic.shape[1] + _LEFT + _RIGHT, mosaic.shape[0] + _TOP + _BOTTOM
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI)
    axes = figure.add_axes((_LEFT / width, _BOTTOM / height, mosaic.shape[1] / width, mosaic.shape[0] / height))
    axes.imshow(mosaic, interpolation="nearest", aspect="auto")
    axes.set_axis_off()
    # Refined keypoints can be outside the crop; their marks are clipped to its border.
    limits = np.array([panel[1] - 1, panel[0] - 1])
    points = np.clip((person.keypoints_xy + 0.5) * scale - 0.5, 0, limits)
    corners = np.array([[_corner(panel, layer, column) for column in range(keypoints + 1)] for layer in range(layers)])
    _mark(axes, points, corners, skeleton)
    _label(axes, person, corners, panel, skeleton)
    _add_colour_bar(figure, (width - _RIGHT + 14) / width, norm)
    shown = plain(" ".join(title.split()))
    if maps.max(initial=0) <= threshold:
        shown += f" (no attention above {threshold:g} times uniform)"
    heading = f"{shown}\n{_TITLES[kind]}; stars: predicted keypoints; numbers: their scores"
    figure.text(_LEFT / width, 1 - 6 / height, heading, fontsize=9, va="top")
    save(figure, path, _DPI)


def _mosaic(crop: np.ndarray, maps: np.ndarray, norm: LogNorm) -> np.ndarray:
    """Return one image [H, W, 3] in 0 to 1: per layer, the crop, then areas [layers, K, h, w] over the grey crop."""
    layers, keypoints, height, width = maps.shape
    small = cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA) / 255
    # 32 grey levels are enough under the colours and halve the file.
    grey = np.round(small.mean(axis=2, keepdims=True) * 31) / 31
    size = (layers * (height + _GAP) - _GAP, (keypoints + 1) * (width + _GAP) - _GAP, 3)
    mosaic = np.ones(size)
    for layer in range(layers):
        for column in range(keypoints + 1):
            x, y = _corner((height, width), layer, column)
            image = small
            if column:
                area = maps[layer, column - 1]
                opacity = np.where(area > norm.vmin, _OPACITY, 0.0)[..., None]
                image = (1 - opacity) * grey + opacity * _COLOURS(norm(area))[..., :3]
            mosaic[y : y + height, x : x + width] = image
    return mosaic


def _corner(panel: tuple[int, int], layer: int, column: int) -> tuple[int, int]:
    """Return (x, y) of the upper left pixel of a panel in the mosaic."""
    return column * (panel[1] + _GAP), layer * (panel[0] + _GAP)


def _mark(axes: Axes, points: np.ndarray, corners: np.ndarray, skeleton: Skeleton) -> None:
    poses = points + corners[:, 0, None]
    limbs = poses[:, skeleton.limb_indices].reshape(-1, 2, 2)
    axes.add_collection(LineCollection(list(limbs), colors="white", linewidths=2.4, capstyle="round"), autolim=False)
    axes.add_collection(LineCollection(list(limbs), colors="#0072B2", linewidths=1.3, capstyle="round"), autolim=False)
    keypoints = poses.reshape(-1, 2)
    axes.scatter(keypoints[:, 0], keypoints[:, 1], s=10, color="#E69F00", edgecolors="white", linewidths=0.5, zorder=3)
    stars = (points + corners[:, 1:]).reshape(-1, 2)
    axes.scatter(
        stars[:, 0], stars[:, 1], marker="*", s=75, color="white", edgecolors="black", linewidths=0.7, zorder=3
    )


def _label(axes: Axes, person: AttentionPanel, corners: np.ndarray, panel: tuple[int, int], skeleton: Skeleton) -> None:
    names = ["pose", *(name.replace("_", " ") for name in skeleton.keypoints)]
    scores = ["", *(f"{score:.2f}" for score in person.scores)]
    for name, score, (x, _) in zip(names, scores, corners[0], strict=True):
        axes.text(x + panel[1] / 2, -5, f"{name}\n{score}".strip(), fontsize=7.5, ha="center", va="bottom")
    for layer, (_, y) in enumerate(corners[:, 0]):
        axes.text(-6, y + panel[0] / 2, f"layer {layer + 1}", fontsize=9, rotation=90, ha="right", va="center")


def _add_colour_bar(figure: Figure, left: float, norm: LogNorm) -> None:
    width, height = figure.get_size_inches() * _DPI
    bar_axes = figure.add_axes((left, _BOTTOM / height, 14 / width, (height - _TOP - _BOTTOM) / height))
    bar = figure.colorbar(ScalarMappable(norm, _COLOURS), cax=bar_axes)
    low, high = norm.vmin or 1.0, norm.vmax or 1.0
    digits = (1, 2, 5) if high / low > 10 else (1, 1.5, 2, 3, 5, 7)
    steps = [digit * 10.0**power for power in range(-3, 6) for digit in digits]
    bar.set_ticks([step for step in steps if low <= step <= high])
    bar_axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}×")
    bar.minorticks_off()
    bar.set_label("times uniform attention", fontsize=8)
    bar_axes.tick_params(labelsize=8)
