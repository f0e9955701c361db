"""A small labelled folder with a skeleton of its own, and edits that make it look like other tools' exports."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from transpose.config.dataset import Dataset
from transpose.skeleton import Skeleton

SIZE_HW = (120, 160)

TORSO = Skeleton(
    name="torso",
    keypoints=("nose", "left_shoulder", "right_shoulder", "left_hip", "right_hip"),
    flip_pairs=(("left_shoulder", "right_shoulder"), ("left_hip", "right_hip")),
    limbs=(("left_shoulder", "right_shoulder"), ("left_shoulder", "left_hip"), ("right_shoulder", "right_hip")),
    sigmas=(0.026, 0.079, 0.079, 0.107, 0.107),
    joint_weights=(1, 1, 1, 1, 1),
    upper_body=("nose", "left_shoulder", "right_shoulder"),
)

Content = dict[str, Any]


def person(number: int, image_id: int, x: float, y: float) -> Content:
    """A person of 60x80 pixels with its upper left corner at (x, y)."""
    points = [(30, 8), (50, 25), (10, 25), (44, 70), (16, 70)]
    return {
        "id": number,
        "image_id": image_id,
        "category_id": 1,
        "bbox": [x, y, 60.0, 80.0],
        "keypoints": [value for dx, dy in points for value in (x + dx, y + dy, 2)],
        "num_keypoints": 5,
        "area": 0.6 * 60 * 80,
        "iscrowd": 0,
    }


def torso_content() -> Content:
    """Two images with two persons each, in plain COCO."""
    height, width = SIZE_HW
    return {
        "images": [{"id": n, "file_name": f"p{n:03d}.png", "height": height, "width": width} for n in (1, 2)],
        "annotations": [person(10, 1, 5, 10), person(11, 1, 90, 30), person(12, 2, 10, 20), person(13, 2, 80, 35)],
        "categories": [{"id": 1, "name": "person", "keypoints": list(TORSO.keypoints)}],
    }


def torso_folder(folder: Path, edit: Callable[[Content], object] = lambda content: None) -> Path:
    """Write the edited content as annotations.json, and the images; returns the folder."""
    content = deepcopy(torso_content())
    edit(content)
    (folder / "images").mkdir(parents=True)
    for number in (1, 2):
        image = np.random.default_rng(number).integers(0, 255, (*SIZE_HW, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / "images" / f"p{number:03d}.png"), image)
    (folder / "annotations.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def torso_dataset(folder: Path, source: dict[str, Any] | None = None, **keys: Any) -> Dataset:
    """The data set of a folder with one split, `val`."""
    values = {
        "title": "torso",
        "source": {"kind": "folder", "folders": {"val": str(folder)}, **(source or {})},
        "boxes": {"ground_truth": {"kind": "ground_truth"}},
        "skeleton": TORSO.model_dump(),
        **keys,
    }
    return Dataset.model_validate(values)
