"""Explain predictions on image files: poses, figures of attention areas, and a viewer page."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from transpose.attention.maps.dependency import encoder_of
from transpose.data.any_image import read_upright_image
from transpose.data.image_boxes import boxes_in_image
from transpose.files import write_json
from transpose.pose_model import CropKeypoints, PoseModel
from transpose.reporting.attention_maps import draw_persons
from transpose.reporting.predict_images import ImagePersons, ImagePoses
from transpose.reporting.viewer import PageCrops, PagePerson, ViewerPage, write_page
from transpose.reporting.viewer_models import byte_limit, page_model


def explain_images(
    model: PoseModel, images: Sequence[ImagePersons], threshold: float, folder: Path
) -> list[ImagePoses]:
    """Write `figures/`, `viewer.html` and `persons.json` of persons in images into a folder, and return the poses.

    Boxes are used as given, like detected boxes. Keypoints are predicted by the protocol, areas come from the
    unflipped pass, both in fp32.

    Args:
        threshold: figures show attention above this multiple of uniform attention.

    Raises:
        InputError: an image is missing or broken, a box is outside of its image, the model has no encoder, or it has
            diverged.
    """
    encoder_of(model.variant)
    plain = model.in_fp32()
    parts = [_predict(plain, image) for image in images]
    found = [poses for poses, _, _ in parts]
    crops = PageCrops(
        np.concatenate([one.crops for _, one, _ in parts]),
        np.concatenate([one.affines for _, one, _ in parts]),
        None,
        None,
    )
    keypoints = CropKeypoints(
        np.concatenate([one.points_xy for _, _, one in parts]), np.concatenate([one.scores for _, _, one in parts])
    )
    persons = [PagePerson(one.path.name, None, tuple(box)) for one in found for box in one.poses.boxes.tolist()]
    tensor = torch.from_numpy(crops.crops)
    explanation = plain.explain(tensor, keypoints.points_xy)
    names = [f"{one.path.name}, person {row}" for one in found for row in range(len(one.poses))]
    draw_persons(plain, tensor, keypoints, explanation, names, threshold, folder / "figures")
    shown = page_model(plain, crops, keypoints, byte_limit(1))
    flipped = "with" if model.protocol.flip_test else "without"
    about = f"Boxes as given; keypoints are predicted {flipped} the flip test."
    title = f"Attention: {', '.join(dict.fromkeys(person.image for person in persons))}"
    page = ViewerPage(title, about, model.skeleton, persons, {model.variant.input_size: crops}, [shown])
    write_page(page, folder / "viewer.html")
    records = [record for one in found for record in _records(one)]
    write_json(folder / "persons.json", {"pass": explanation.image_pass, "grid": plain.grid.size, "persons": records})
    return found


def _predict(model: PoseModel, image: ImagePersons) -> tuple[ImagePoses, PageCrops, CropKeypoints]:
    """Return the poses in an image, its crops, and the keypoints in crop pixels."""
    pixels = read_upright_image(image.path)
    poses = model.predict(pixels, boxes_in_image(image.boxes_xywh, pixels, image.path))
    crops, affines, points_xy = model.crop_persons(pixels, poses)
    keypoints = CropKeypoints(points_xy, poses.scores)
    return ImagePoses(image.path, poses), PageCrops(crops.numpy(), affines, None, None), keypoints


def _records(image: ImagePoses) -> list[dict[str, object]]:
    poses = image.poses
    return [
        {
            "image": image.path.name,
            "box_xywh": box,
            "keypoints": [
                {"keypoint": name, "xy": point, "confidence": score}
                for name, point, score in zip(poses.skeleton.keypoints, points, scores, strict=True)
            ],
        }
        for box, points, scores in zip(poses.boxes.tolist(), poses.xy.tolist(), poses.scores.tolist(), strict=True)
    ]
