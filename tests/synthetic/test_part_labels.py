"""Body parts of a rendered data set: persons have their pixels, and visible keypoints lie in their parts."""

import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from transpose.attention.keypoint_regions import parts_at
from transpose.config.dataset import SyntheticSource
from transpose.errors import InputError
from transpose.skeleton import COCO_PERSON
from transpose.synthetic.dataset import synthesise
from transpose.synthetic.part_labels import (
    NO_PERSON,
    PARTS,
    PartLabels,
    part_of_bone,
    parts_of_bones,
    read_part_labels,
    write_part_labels,
)

SETTINGS = SyntheticSource(
    image_size=(96, 128), antialias=1, images={"train": 6}, people=(2, 4), smallest_labelled_area=150, crowd_share=0.3
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synthetic") / "train"
    synthesise(SETTINGS, "train", out, jobs=1)
    write_part_labels(SETTINGS, "train", out / "annotations.json", 1, out / "parts.npz")
    return out


@pytest.fixture
def labels(folder: Path) -> PartLabels:
    return read_part_labels(folder / "parts.npz")


def persons(folder: Path) -> list[dict]:
    annotations = json.loads((folder / "annotations.json").read_text())["annotations"]
    return [annotation for annotation in annotations if not annotation["iscrowd"]]


def test_every_person_has_the_pixels_of_its_mask(folder: Path, labels: PartLabels):
    assert len(labels.parts) == 6
    assert sorted(labels.annotation_ids) == sorted(person["id"] for person in persons(folder))
    for person in persons(folder):
        parts, own = labels.of(person["id"])
        np.testing.assert_array_equal(own, coco_mask.decode(person["segmentation"]).astype(bool))
        assert (parts[own] < len(PARTS)).all()


def test_a_crowd_has_parts_but_no_persons(folder: Path, labels: PartLabels):
    crowds = [each for each in json.loads((folder / "annotations.json").read_text())["annotations"] if each["iscrowd"]]
    assert crowds
    for crowd in crowds:
        mask = coco_mask.decode(crowd["segmentation"]).astype(bool)
        image = int(np.flatnonzero(labels.image_ids == crowd["image_id"])[0])
        assert (labels.owners[image][mask] == NO_PERSON).all()
        assert (labels.parts[image][mask] != NO_PERSON).all()


def test_visible_keypoints_lie_in_the_parts_that_meet_in_them(folder: Path, labels: PartLabels):
    inside, sides = [], []
    for person in persons(folder):
        parts, own = labels.of(person["id"])
        points = np.reshape(person["true_keypoints"], (-1, 2)).round().astype(int)
        for name, (x, y), hidden in zip(COCO_PERSON.keypoints, points, person["occlusion"], strict=True):
            if not hidden and own[y, x]:
                part = PARTS[parts[y, x]]
                inside.append(part in parts_at(name))
                if part.startswith(("left", "right")):
                    sides.append(part.split("_")[0] == name.split("_")[0])
    assert len(inside) > 60
    # A limb may pass before a keypoint that is no deeper than a keypoint lies below the skin.
    assert np.mean(inside) > 0.9
    assert np.mean(sides) > 0.9


def test_the_labels_do_not_depend_on_the_number_of_jobs(folder: Path, tmp_path: Path):
    write_part_labels(SETTINGS, "train", folder / "annotations.json", 2, tmp_path / "parts.npz")
    assert (tmp_path / "parts.npz").read_bytes() == (folder / "parts.npz").read_bytes()


def test_other_images_are_noticed(folder: Path, tmp_path: Path):
    other = SETTINGS.model_copy(update={"seed": 1})
    with pytest.raises(InputError, match=r"annotation \d+: segmentation: does not match any person"):
        write_part_labels(other, "train", folder / "annotations.json", 1, tmp_path / "parts.npz")
    assert not list(tmp_path.iterdir())


def test_a_mask_that_is_no_run_length_code_is_reported(folder: Path, tmp_path: Path):
    content = json.loads((folder / "annotations.json").read_text())
    next(each for each in content["annotations"] if not each["iscrowd"])["segmentation"] = [[1, 1, 5, 1, 5, 5]]
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="segmentation: must be a run-length encoded mask of 96x128 pixels"):
        write_part_labels(SETTINGS, "train", tmp_path / "annotations.json", 1, tmp_path / "parts.npz")


def test_an_unknown_person_has_no_labels(labels: PartLabels):
    with pytest.raises(KeyError):
        labels.of(-1)


def test_bones_belong_to_parts_of_the_persons_own_side():
    named = {bone: PARTS[part_of_bone(bone)] for bone in ("wrist.L", "foot.R", "upperleg01.L", "upperarm02.R")}
    assert list(named.values()) == ["left_lower_arm", "right_lower_leg", "left_thigh", "right_upper_arm"]
    assert {PARTS[part_of_bone(bone)] for bone in ("root", "pelvis.L", "clavicle.R", "spine03")} == {"torso"}
    assert {PARTS[part_of_bone(bone)] for bone in ("head", "neck02")} == {"head"}
    parts = parts_of_bones(np.array([[-1, 1]], dtype=np.int16), ("root", "head"))
    assert parts.tolist() == [[NO_PERSON, PARTS.index("head")]]
