"""Draw the README's figure: `readme_figure.py OUTPUT.png [MODEL]`.

Left: a packaged photograph with the predicted pose. Right: the crop that the network sees, with the dependency area of
two keypoints: the attention of the keypoint's cell in the last encoder layer, averaged over heads.
"""

import sys
from pathlib import Path

import cv2
import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

import transpose
from transpose.data.images import read_image
from transpose.data.photographs import photographs_folder
from transpose.pose_model import AttentionMaps, PoseModel

PHOTOGRAPH, BOX = "000000349860.jpg", (280.0, 13.0, 186.0, 152.0)
KEYPOINTS = ("left_wrist", "right_shoulder")
VIEW = (150.0, 0.0, 374.0, 249.0)
"""Part of the photograph that is shown: x, y, width, height in image pixels."""
ENLARGED = 4
WIDTH, HEIGHT, DPI = 8.0, 3.05, 200
"""Inches, so that the figure is 1600 pixels wide and legible at 800."""


def main(output: Path, name: str | None) -> None:
    """Write the figure, predicted by a model of `transpose.load`."""
    model = transpose.load(name)
    image = read_image(photographs_folder() / "images" / PHOTOGRAPH)
    maps = model.attention(image, [BOX])
    _, _, points = model.crop_persons(image, maps.poses)
    height, width = maps.crops.shape[1:3]
    widths = (VIEW[2] / VIEW[3], *(width / height for _ in KEYPOINTS))
    figure, axes = plt.subplots(1, len(widths), figsize=(WIDTH, HEIGHT), width_ratios=widths, dpi=DPI)
    _draw_pose(axes[0], image, model)
    for axis, keypoint in zip(axes[1:], KEYPOINTS, strict=True):
        _draw_area(axis, maps, points, keypoint)
    figure.tight_layout(pad=0.4)
    figure.savefig(output, bbox_inches="tight", pad_inches=0.05)


def _draw_pose(axis: Axes, image: np.ndarray, model: PoseModel) -> None:
    # Enlarged, so that lines are thin; cut around the person, so that they are seen.
    large = cv2.resize(image, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC)
    poses = model.predict(large, [ENLARGED * np.array(BOX)])
    drawn = poses.draw(large, model.protocol.keypoint_threshold)
    x, y, width, height = (round(ENLARGED * side) for side in VIEW)
    axis.imshow(drawn[y : y + height, x : x + width])
    axis.set_title("predicted pose", fontsize=9)
    axis.axis("off")


def _draw_area(axis: Axes, maps: AttentionMaps, points: np.ndarray, keypoint: str) -> None:
    crop, index = maps.crops[0], maps.poses.skeleton.index(keypoint)
    area = maps.dependency[0, index]
    height, width = crop.shape[:2]
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    axis.imshow(crop.mean(axis=2), cmap="gray", extent=extent)
    axis.imshow(np.sqrt(area / area.max()), cmap="inferno", alpha=0.6, extent=extent, interpolation="bilinear")
    axis.scatter(*points[0, index], s=70, facecolors="none", edgecolors="white", linewidths=1.8)
    axis.set_title(f"{keypoint.replace('_', ' ')}: dependency area", fontsize=9)
    axis.axis("off")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
