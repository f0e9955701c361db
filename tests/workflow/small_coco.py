"""COCO's archives in small, out of the photographs that ship: same names, same folders, same files inside."""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from transpose.config.load import load_variant
from transpose.models.variants import build_backbone, build_model
from transpose.models.weights import official_state_dict
from transpose.study.data_files import PHOTOGRAPHS

CONFIG = Path(__file__).parents[2] / "config"
TRAINED_PERSONS = 4
VALIDATED_IMAGES = 3


def archives() -> dict[str, bytes]:
    """The five archives of `config/tables/downloads.yaml` by name."""
    whole = json.loads((PHOTOGRAPHS / "annotations.json").read_text())
    whole["annotations"] = [a for a in whole["annotations"] if a["num_keypoints"] and not a["iscrowd"]]
    train, val = _first_persons(whole, TRAINED_PERSONS), _first_images(whole, VALIDATED_IMAGES)
    names = {
        "annotations/person_keypoints_train2017.json": json.dumps(train).encode(),
        "annotations/person_keypoints_val2017.json": json.dumps(val).encode(),
    }
    # As COCO's: all categories without keypoints, and no list of annotations.
    info = {"images": val["images"][:2], "categories": [{"id": 1, "name": "person"}, {"id": 2, "name": "bicycle"}]}
    return {
        "annotations_trainval2017": _zip(names),
        "image_info_test2017": _zip({"annotations/image_info_test-dev2017.json": json.dumps(info).encode()}),
        "train2017": _images("train2017", train),
        "val2017": _images("val2017", val),
        "test2017": _images("test2017", val),
    }


def detections(archive: bytes, member: str) -> list[dict[str, Any]]:
    """Made-up detections: around every third pixel of every image a box, and one of another category."""
    with zipfile.ZipFile(io.BytesIO(archive)) as packed:
        images = json.loads(packed.read(member))["images"]
    boxes = [
        {"image_id": i["id"], "category_id": 1, "bbox": [10, 10, i["width"] / 2, i["height"] - 20.0], "score": 0.9}
        for i in images
    ]
    return [*boxes, boxes[0] | {"category_id": 2}]


def backbone_checkpoint(variant: str) -> bytes:
    """Random weights of a variant's backbone as a `.pth`, with a classifier behind it as ImageNet's have."""
    torch.manual_seed(0)
    state = build_backbone(load_variant(variant, CONFIG / "variants").backbone).state_dict()
    buffer = io.BytesIO()
    torch.save(dict(state) | {"fc.weight": torch.zeros(3, 3)}, buffer)
    return buffer.getvalue()


def released_checkpoint(variant: str) -> bytes:
    """Random weights of a whole variant as the authors release theirs: a `.pth` with the official names."""
    torch.manual_seed(0)
    model = build_model(load_variant(variant, CONFIG / "variants"), keypoints=17)
    buffer = io.BytesIO()
    torch.save(official_state_dict(model), buffer)
    return buffer.getvalue()


def _first_persons(whole: Mapping[str, Any], count: int) -> dict[str, Any]:
    persons = whole["annotations"][:count]
    used = {person["image_id"] for person in persons}
    return dict(whole) | {"annotations": persons, "images": [i for i in whole["images"] if i["id"] in used]}


def _first_images(whole: Mapping[str, Any], count: int) -> dict[str, Any]:
    images = whole["images"][:count]
    ids = {image["id"] for image in images}
    return dict(whole) | {
        "annotations": [a for a in whole["annotations"] if a["image_id"] in ids][:6],
        "images": images,
    }


def _images(folder: str, annotations: Mapping[str, Any]) -> bytes:
    return _zip(
        {
            f"{folder}/{image['file_name']}": (PHOTOGRAPHS / "images" / image["file_name"]).read_bytes()
            for image in annotations["images"]
        }
    )


def _zip(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()
