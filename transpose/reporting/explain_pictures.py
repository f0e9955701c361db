"""Any picture explained: keypoints, figures of their areas, and an explorer."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from transpose.config.dataset import Dataset
from transpose.config.load import read_record, read_run_recipe
from transpose.config.study import Protocol
from transpose.data.crops import crop_image
from transpose.data.images import read_image
from transpose.data.picture_boxes import check_boxes_inside
from transpose.errors import InputError
from transpose.files import write_json
from transpose.geometry import box_to_center_scale, crop_affines, invert_affine, transform_points
from transpose.models.weights import read_checkpoint
from transpose.reporting.explanation import draw_persons
from transpose.reporting.explored_models import byte_limit, load_trained, page_model
from transpose.reporting.explorer import ExplorerPage, PageCrops, PagePerson, write_page
from transpose.reporting.trained import Keypoints
from transpose.skeleton import COCO, Skeleton


@dataclass(frozen=True)
class PicturePersons:
    """A picture and the persons in it."""

    path: Path
    boxes_xywh: np.ndarray | None
    """[N, 4] image pixels; None takes the whole picture as one person's box."""


@dataclass(frozen=True)
class PosedPerson:
    """One person as a model finds it."""

    picture: str
    box_xywh: tuple[float, ...]
    points_xy: np.ndarray
    """[K, 2] image pixels."""
    scores: np.ndarray
    """[K]: the heatmaps' maxima, the model's confidence."""


def explain_pictures(
    run: Path,
    pictures: Sequence[PicturePersons],
    skeleton: Skeleton,
    protocol: Protocol,
    threshold: float,
    folder: Path,
) -> list[PosedPerson]:
    """Write `figures/`, `explorer.html` and `persons.json` of persons in pictures into a folder, and return the poses.

    Boxes are used as they are, like detected ones. Keypoints come from the protocol's prediction, areas from the
    unflipped pass.

    Args:
        run: run.json of a training; weights.safetensors beside it.
        threshold: figures show attention above this multiple of uniform attention.

    Raises:
        InputError: a picture, the run or the weights are missing or broken, a box lies outside of its picture, the
            variant has no encoder, or the model has diverged.
    """
    model = load_trained(run, skeleton, protocol)
    crops, persons = _crops_of(pictures, model.variant.input_size)
    tensor = torch.from_numpy(crops.crops)
    keypoints = model.keypoints(tensor)
    explanation = model.explanation(tensor, keypoints)
    names = [f"{person.picture}, person {index}" for index, person in enumerate(persons)]
    draw_persons(model, tensor, keypoints, explanation, names, skeleton, threshold, folder / "figures")
    shown = page_model(run, model, crops, keypoints, byte_limit(1))
    flipped = "with" if protocol.flip_test else "without"
    about = f"Boxes as given; keypoints are predicted {flipped} the flip test."
    title = f"Attention: {', '.join(dict.fromkeys(person.picture for person in persons))}"
    page = ExplorerPage(title, about, skeleton, persons, {model.variant.input_size: crops}, [shown])
    write_page(page, folder / "explorer.html")
    posed = _posed(persons, crops, keypoints)
    records = [_record(person, skeleton) for person in posed]
    write_json(folder / "persons.json", {"pass": explanation.image_pass, "grid": model.grid.size, "persons": records})
    return posed


def skeleton_of_run(run: Path, dataset: Path | None) -> Skeleton:
    """The skeleton of a trained model: that of a data set's record, or COCO's where the model has as many keypoints.

    Raises:
        InputError: a file is missing or wrong, or no record is given and the model has other than 17 keypoints.
    """
    if dataset is not None:
        return read_record(Dataset, dataset).skeleton
    # What is no run has no weights either, and the run is what was named.
    read_run_recipe(run)
    weights = run.parent / "weights.safetensors"
    state = read_checkpoint(weights)
    keypoints = state["final_layer.weight"].shape[0] if "final_layer.weight" in state else 0
    if keypoints != len(COCO):
        problem = f"{keypoints} keypoints are not COCO's {len(COCO)}; name their data set by --dataset RECORD"
        raise InputError(weights, None, "final_layer.weight", problem)
    return COCO


def _crops_of(pictures: Sequence[PicturePersons], size_hw: tuple[int, int]) -> tuple[PageCrops, list[PagePerson]]:
    crops, affines, persons = [], [], []
    for picture in pictures:
        image = read_image(picture.path)
        height, width = image.shape[:2]
        boxes = np.array([[0, 0, width, height]]) if picture.boxes_xywh is None else picture.boxes_xywh
        check_boxes_inside(boxes, picture.path, (height, width))
        center, scale = box_to_center_scale(boxes, size_hw)
        for box, affine in zip(boxes, crop_affines(center, scale, np.zeros(len(boxes)), size_hw), strict=True):
            crops.append(crop_image(image, affine, size_hw))
            affines.append(affine)
            persons.append(PagePerson(picture.path.name, None, tuple(box.tolist())))
    return PageCrops(np.stack(crops), np.stack(affines), None, None), persons


def _posed(persons: Sequence[PagePerson], crops: PageCrops, keypoints: Keypoints) -> list[PosedPerson]:
    points = transform_points(invert_affine(crops.affines)[:, None], keypoints.points_xy)
    return [
        PosedPerson(person.picture, person.box_xywh, places, scores)
        for person, places, scores in zip(persons, points, keypoints.scores, strict=True)
    ]


def _record(person: PosedPerson, skeleton: Skeleton) -> dict[str, object]:
    places = zip(skeleton.keypoints, person.points_xy.tolist(), person.scores.tolist(), strict=True)
    return {
        "picture": person.picture,
        "box_xywh": person.box_xywh,
        "keypoints": [{"keypoint": name, "xy": point, "confidence": score} for name, point, score in places],
    }
