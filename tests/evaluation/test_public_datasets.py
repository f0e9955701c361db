"""Public data sets are read as their files are written, and results in their form are evaluated; on small samples."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from transpose.config.bootstrap import Bootstrap
from transpose.config.dataset import Dataset
from transpose.config.load import load_dataset
from transpose.data.import_annotations import import_annotations
from transpose.evaluation.external_annotations import AnnotatedKeypoints
from transpose.evaluation.external_evaluation import ExternalReport, evaluate_results

CONFIG = Path(__file__).parents[2] / "config" / "datasets"

Record = dict[str, Any]


def points(keypoints: int, seed: int) -> list[float]:
    """Keypoints in a box of 100x200 pixels at (50, 50), the first one not labelled."""
    rng = np.random.default_rng(seed)
    xy = (50 + rng.random((keypoints, 2)) * (100, 200)).round(2)
    visibility = np.r_[0, rng.integers(1, 3, keypoints - 1)]
    return np.column_stack((xy * (visibility > 0)[:, None], visibility)).ravel().tolist()


def crowdpose(names: list[str]) -> Record:
    """No area, `num_keypoints` of visible points, a crowd index for each image."""
    persons = [points(14, seed) for seed in range(3)]
    return {
        "images": [
            {"id": 100000 + n, "file_name": f"{100000 + n}.jpg", "height": 400, "width": 400, "crowdIndex": index}
            for n, index in enumerate((0.0, 0.5, 0.93))
        ],
        "annotations": [
            {
                "id": 1 + n,
                "image_id": 100000 + n,
                "category_id": 1,
                "iscrowd": 0,
                "bbox": [50, 50, 100, 200],
                "keypoints": person,
                "num_keypoints": person[2::3].count(2),
            }
            for n, person in enumerate(persons)
        ],
        "categories": [{"supercategory": "person", "id": 1, "name": "person", "keypoints": names, "skeleton": []}],
    }


def ochuman(names: list[str]) -> Record:
    """Masks as compressed run lengths, ids from 1."""
    mask = {"size": [400, 400], "counts": "PPPPP1"}
    persons = [points(17, seed) for seed in range(2)]
    return {
        "images": [{"id": 1, "file_name": "000001.jpg", "height": 400, "width": 400}],
        "annotations": [
            {
                "image_id": 1,
                "area": 20000,
                "num_keypoints": 16,
                "iscrowd": 0,
                "id": 1 + n,
                "category_id": 1,
                "keypoints": person,
                "segmentation": mask,
                "bbox": [50, 50, 100, 200],
            }
            for n, person in enumerate(persons)
        ],
        "categories": [{"supercategory": "person", "id": 1, "name": "person", "skeleton": [], "keypoints": names}],
    }


def coco_wholebody(names: list[str]) -> Record:
    """A category that lists the body only, and fields for the parts; the second person has the body only."""
    sizes = {"foot_kpts": 6, "face_kpts": 68, "lefthand_kpts": 21, "righthand_kpts": 21}
    parts: list[Record] = [
        {field: points(size, 5) for field, size in sizes.items()},
        {field: [0.0] * 3 * size for field, size in sizes.items()},
    ]
    return {
        "images": [{"id": 785, "file_name": "000000000785.jpg", "height": 400, "width": 400}],
        "annotations": [
            {
                "id": 442619 + n,
                "image_id": 785,
                "category_id": 1,
                "iscrowd": 0,
                "area": 9000.5,
                "num_keypoints": 16,
                "bbox": [50, 50, 100, 200],
                "segmentation": [[50, 50, 150, 50, 150, 250]],
                "keypoints": [int(value) for value in points(17, n)],
                **part,
                **{f"{name}_valid": any(part["foot_kpts"]) for name in ("foot", "face", "lefthand", "righthand")},
                "face_box": [0.0] * 4,
            }
            for n, part in enumerate(parts)
        ],
        "categories": [
            {"supercategory": "person", "id": 1, "name": "person", "keypoints": names[:17], "skeleton": [[16, 14]]}
        ],
    }


def ap10k(names: list[str]) -> Record:
    """A category for each species, with the same keypoints."""
    species = {1: "antelope", 5: "dog"}
    return {
        "images": [
            {"id": n, "file_name": f"{n:012d}.jpg", "height": 400, "width": 400, "background": 1, "license": 1}
            for n in species
        ],
        "annotations": [
            {
                "id": n,
                "image_id": n,
                "category_id": n,
                "bbox": [50, 50, 100, 200],
                "area": 20000,
                "iscrowd": 0,
                "num_keypoints": 16,
                "keypoints": points(17, n),
            }
            for n in species
        ],
        "categories": [
            {"id": n, "name": name, "supercategory": "animal", "keypoints": names, "skeleton": []}
            for n, name in species.items()
        ],
    }


SAMPLES: dict[str, Callable[[list[str]], Record]] = {
    "crowdpose": crowdpose,
    "ochuman": ochuman,
    "coco_wholebody": coco_wholebody,
    "ap10k": ap10k,
}


def write(name: str, folder: Path) -> tuple[Dataset, Path, Record]:
    dataset = load_dataset(name, CONFIG)
    content = SAMPLES[name](list(dataset.skeleton.keypoints))
    path = folder / "annotations.json"
    path.write_text(json.dumps(content))
    return dataset, path, content


def evaluate(dataset: Dataset, annotations: Path, results: list[Record]) -> ExternalReport:
    path = annotations.with_name("results.json")
    path.write_text(json.dumps(results))
    of = AnnotatedKeypoints(dataset.skeleton, dataset.category, dataset.keypoint_fields)
    return evaluate_results(path, annotations, of, Bootstrap(samples=10, seed=0))


@pytest.mark.parametrize(
    ("name", "derived"),
    [
        ("crowdpose", {"num_keypoints": 3, "area": 3, "area_from_box": 3}),
        ("ochuman", {}),
        ("coco_wholebody", {"num_keypoints": 1}),
        ("ap10k", {}),
    ],
)
def test_annotations_are_read_and_their_own_points_have_an_ap_of_1(
    name: str, derived: dict[str, int], tmp_path: Path
) -> None:
    dataset, path, content = write(name, tmp_path)
    fields = ("image_id", "category_id", *dataset.keypoint_fields)
    results = [{field: person[field] for field in fields} | {"score": 0.9} for person in content["annotations"]]
    found = evaluate(dataset, path, results)
    assert found.persons == found.predictions == len(content["annotations"])
    assert found.metrics["AP"] == pytest.approx(1)
    assert found.annotations_derived == derived
    assert (found.annotations_left_out, found.predictions_left_out) == ({}, {})
    assert (found.crowding is not None) == (name == "crowdpose")
    assert (found.parts is not None) == (name == "coco_wholebody")


@pytest.mark.parametrize("name", SAMPLES)
def test_each_left_keypoint_is_paired_with_its_right_one_and_has_a_limb(name: str) -> None:
    skeleton = load_dataset(name, CONFIG).skeleton
    lefts = [keypoint for keypoint in skeleton.keypoints if keypoint.startswith("left_")]
    assert sorted(skeleton.flip_pairs) == sorted((left, left.replace("left_", "right_")) for left in lefts)
    assert {keypoint for limb in skeleton.limbs for keypoint in limb} == set(skeleton.keypoints)


def test_areas_of_crowdpose_are_those_of_its_evaluator(tmp_path: Path) -> None:
    dataset, path, _ = write("crowdpose", tmp_path)
    persons = import_annotations(path, dataset.skeleton).persons
    assert [person["area"] for person in persons] == [pytest.approx(0.53 * 100 * 200)] * 3


def test_crowdpose_has_an_ap_of_each_subset(tmp_path: Path) -> None:
    dataset, path, content = write("crowdpose", tmp_path)
    good, _, other = content["annotations"]
    results = [{"image_id": p["image_id"], "keypoints": p["keypoints"], "score": 0.9} for p in (good, other)]
    crowding = evaluate(dataset, path, results).crowding
    assert crowding is not None
    assert {name: (subset.images, subset.ap) for name, subset in crowding.items()} == {
        "easy": (1, pytest.approx(1)),
        "medium": (1, 0),
        "hard": (1, pytest.approx(1)),
    }


def test_wrong_faces_lower_the_ap_of_the_whole_and_of_faces_only(tmp_path: Path) -> None:
    dataset, path, content = write("coco_wholebody", tmp_path)
    results = [
        {field: person[field] for field in ("image_id", *dataset.keypoint_fields)}
        | {"face_kpts": [0.0] * 204, "score": 0.9}
        for person in content["annotations"]
    ]
    report = evaluate(dataset, path, results)
    assert 0 < report.metrics["AP"] < 1
    assert report.parts is not None
    assert [(part.keypoints, part.persons) for part in report.parts.values()] == [
        (17, 2),
        (6, 1),
        (68, 1),
        (21, 1),
        (21, 1),
    ]
    assert {name: part.ap for name, part in report.parts.items()} == {
        **dict.fromkeys(dataset.keypoint_fields, pytest.approx(1)),
        "face_kpts": 0,
    }


def test_species_of_ap10k_can_be_chosen(tmp_path: Path) -> None:
    dataset, path, _ = write("ap10k", tmp_path)
    persons = import_annotations(path, dataset.skeleton, ["dog"]).persons
    assert [person["image_id"] for person in persons] == [5]
