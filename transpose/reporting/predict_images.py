"""Predict poses on image files, as COCO results, drawn on the images, and as terminal text."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from transpose.data.images import read_upright_image
from transpose.errors import InputError
from transpose.files import atomic_folder, write_json
from transpose.inference.poses import Poses
from transpose.inference.predictor import PosePredictor
from transpose.reporting.overlay import draw_poses, write_image


@dataclass(frozen=True)
class ImagePersons:
    """An image and the boxes of the persons in it."""

    path: Path
    boxes_xywh: np.ndarray | None
    """[N, 4] image pixels; None means one box over the whole image."""


@dataclass(frozen=True)
class ImagePoses:
    """The poses predicted in an image."""

    path: Path
    poses: Poses


def predict_images(model: PosePredictor, images: Sequence[ImagePersons]) -> list[ImagePoses]:
    """Predict the poses in images, in their order.

    Raises:
        InputError: an image is missing or broken, a box is outside of its image, or the model has diverged.
    """
    return [ImagePoses(image.path, model.predict(image.path, image.boxes_xywh)) for image in images]


def write_predictions(found: Sequence[ImagePoses], min_score: float, folder: Path) -> None:
    """Write `predictions.json` and an `overlays/NAME.png` per image into a folder.

    Args:
        min_score: keypoints with a lower score are not drawn; `predictions.json` has all keypoints.

    Raises:
        InputError: two images have the same name, an image is missing, or a file cannot be written.
    """
    names = [f"{image.path.stem}.png" for image in found]
    for image, name in zip(found, names, strict=True):
        if names.count(name) > 1:
            raise InputError(f"another image has the same overlay name {name}; rename one", file=image.path)
    with atomic_folder(folder / "overlays") as overlays:
        for image, name in zip(found, names, strict=True):
            write_image(draw_poses(read_upright_image(image.path), image.poses, min_score), overlays / name)
    write_json(folder / "predictions.json", coco_records(found), indent=None)


def coco_records(found: Sequence[ImagePoses]) -> list[dict[str, Any]]:
    """Return COCO results with the extra fields `file_name` and `bbox`.

    `image_id` is the number in each file name, as in COCO. If a name is not a number, or two numbers are equal, it is
    the index of the image, counted from 1.
    """
    stems = [image.path.stem for image in found]
    numbers = [int(stem) for stem in stems if stem.isascii() and stem.isdecimal()]
    ids = numbers if len(set(numbers)) == len(found) else range(1, len(found) + 1)
    return [
        record | {"file_name": image.path.name, "bbox": box}
        for image, image_id in zip(found, ids, strict=True)
        for record, box in zip(image.poses.to_coco(image_id), image.poses.boxes.tolist(), strict=True)
    ]


def render_persons(images: Sequence[ImagePoses], min_score: float) -> str:
    """Return one line per person: box, score, and number of keypoints with a score of at least `min_score`."""
    cells = [
        (name, str(row), box_text(poses.boxes[row]), f"{poses.person_scores[row]:.3f}", _count(poses, row, min_score))
        for name, poses, row in _persons(images)
    ]
    text = tabulate([("image", "person", "box", "score", "keypoints"), *cells], tablefmt="plain", disable_numparse=True)
    return "\n".join(line.rstrip() for line in text.splitlines())


def render_keypoints(images: Sequence[ImagePoses], min_score: float = -np.inf) -> str:
    """Return one block per person: each keypoint in image pixels with its confidence.

    Args:
        min_score: keypoints with a lower score are left out.
    """
    return "\n\n".join(
        "\n".join([f"{name}, person {row}, box {box_text(poses.boxes[row])}", *_keypoints(poses, row, min_score)])
        for name, poses, row in _persons(images)
    )


def box_text(box: np.ndarray) -> str:
    """Format a box [4] as x, y, width, height."""
    return ", ".join(f"{value:g}" for value in box)


def _persons(images: Sequence[ImagePoses]) -> list[tuple[str, Poses, int]]:
    """Return (image name, poses, row of the person) for every person."""
    return [(image.path.name, image.poses, row) for image in images for row in range(len(image.poses))]


def _count(poses: Poses, row: int, min_score: float) -> str:
    return f"{(poses.scores[row] >= min_score).sum()} of {len(poses.skeleton)}"


def _keypoints(poses: Poses, row: int, min_score: float) -> list[str]:
    width = max(map(len, poses.skeleton.keypoints))
    places = zip(poses.skeleton.keypoints, poses.xy[row], poses.scores[row], strict=True)
    return [
        f"  {'keypoint':<{width}}        x        y  confidence",
        *(
            f"  {name:<{width}} {x:8.1f} {y:8.1f}  {score:10.3f}"
            for name, (x, y), score in places
            if score >= min_score
        ),
    ]
