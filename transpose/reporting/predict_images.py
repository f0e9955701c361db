"""Predict poses on image files, as COCO results and drawn on the images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transpose.data.images import read_upright_image
from transpose.errors import InputError
from transpose.files import atomic_folder, write_json
from transpose.pose_model import PoseModel
from transpose.reporting.image_poses import ImagePersons, ImagePoses
from transpose.reporting.overlay import draw_poses, write_image


def predict_images(model: PoseModel, images: Sequence[ImagePersons]) -> list[ImagePoses]:
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
            raise InputError(image.path, None, None, f"another image has the same overlay name {name}; rename one")
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
