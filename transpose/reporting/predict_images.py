"""Predict poses on image files, and write them as they are predicted."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from transpose.data.any_image import read_upright_image
from transpose.data.image_boxes import boxes_in_image
from transpose.errors import InputError
from transpose.files import atomic_folder, removed_if_empty
from transpose.inference.overlay import write_image
from transpose.inference.poses import Poses
from transpose.inference.predictor import PersonFinder, PosePredictor
from transpose.reporting.pose_files import PoseFiles, coco_image_ids, pose_files


@dataclass(frozen=True)
class ImagePersons:
    """An image and the boxes of the persons in it."""

    path: Path
    boxes_xywh: np.ndarray | None
    """[N, 4] image pixels; None means one box over the whole image, or those of a detector."""


@dataclass(frozen=True)
class ImagePoses:
    """The poses predicted in an image."""

    path: Path
    poses: Poses


@dataclass(frozen=True)
class PredictionFolder:
    """A folder of results, in progress."""

    files: PoseFiles
    overlays: Path
    min_score: float

    def add(self, image_id: int, image: ImagePoses, pixels: np.ndarray) -> None:
        """Append the poses of an image, and write its overlay."""
        self.files.add(image_id, image.path.name, image.poses)
        write_image(image.poses.draw(pixels, self.min_score), self.overlays / _overlay_name(image.path))


def predict_images(
    model: PosePredictor,
    images: Sequence[ImagePersons],
    detector: PersonFinder | None,
    on_image: Callable[[ImagePoses], None],
    folder: Path | None,
    min_score: float,
) -> None:
    """Predict the poses in images, in their order; memory does not depend on their number.

    Writes `predictions.json`, `keypoints.csv` and an `overlays/NAME.png` per image into a folder, if there is one.

    Args:
        detector: finds the persons of images without boxes; None takes the whole image as one box.
        on_image: called with the poses of each image.
        min_score: keypoints with a lower score are not drawn; the files have all keypoints.

    Raises:
        InputError: an image is missing or broken, a box is outside of its image, two images have the same name, the
            model has diverged, or a file cannot be written. No file is written then.
    """
    paths = [image.path for image in images]
    with nullcontext() if folder is None else prediction_folder(folder, paths, min_score) as output:
        for image, image_id in zip(images, coco_image_ids(paths), strict=True):
            pixels = read_upright_image(image.path)
            found = ImagePoses(image.path, predict_persons(model, pixels, image.path, image.boxes_xywh, detector))
            if output is not None:
                output.add(image_id, found, pixels)
            on_image(found)


def predict_persons(
    model: PosePredictor,
    pixels: np.ndarray,
    name: object,
    boxes_xywh: np.ndarray | None,
    detector: PersonFinder | None,
) -> Poses:
    """Predict the poses in an image.

    Args:
        pixels: [H, W, 3] uint8 RGB.
        name: of the image, for messages.
        boxes_xywh: [N, 4] image pixels; None uses the detector, or without one the whole image.

    Raises:
        InputError: a box is outside of the image, or a model fails.
    """
    if boxes_xywh is not None or detector is None:
        return model.predict(pixels, boxes_in_image(boxes_xywh, pixels, name))
    boxes, scores = detector.find(pixels)
    poses = model.predict(pixels, boxes)
    if model.protocol.score == "keypoints":
        return poses
    return replace(poses, person_scores=poses.person_scores * scores)


@contextmanager
def prediction_folder(folder: Path, images: Sequence[Path], min_score: float) -> Iterator[PredictionFolder]:
    """Yield a writer of predictions, whose files replace those in `folder` at the end.

    Raises:
        InputError: two images have the same name, or a file cannot be written; existing files stay.
    """
    names: set[str] = set()
    for image in images:
        if (name := _overlay_name(image)) in names:
            raise InputError(f"another image has the same overlay name {name}; rename one", file=image)
        names.add(name)
    with removed_if_empty(folder), atomic_folder(folder / "overlays") as overlays, pose_files(folder) as files:
        yield PredictionFolder(files, overlays, min_score)


def _overlay_name(image: Path) -> str:
    return f"{image.stem}.png"
