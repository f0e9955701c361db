"""Each probable error is found in data that has it, and not in clean data."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.torso_data import TORSO, Content, person, torso_content
from transpose.data.annotation_warnings import annotation_warnings, skeleton_warnings
from transpose.data.coco import load_annotations, parse_annotations
from transpose.data.photographs import photographs_folder
from transpose.skeleton import COCO_PERSON, Skeleton


def kinds_of(edit: Callable[[Content], object] = lambda content: None) -> dict[str, int]:
    content = torso_content()
    edit(content)
    found = annotation_warnings(parse_annotations(Path("annotations.json"), content, TORSO), TORSO)
    return {warning.kind: warning.count for warning in found}


def on_points(change: Callable[[float, float], tuple[float, float]]) -> Callable[[Content], object]:
    def edit(content: Content) -> None:
        for record in content["annotations"]:
            points = record["keypoints"]
            for start in range(0, 15, 3):
                points[start : start + 2] = change(*points[start : start + 2])

    return edit


def on_boxes(change: Callable[[float, float, float, float], list[float]]) -> Callable[[Content], object]:
    def edit(content: Content) -> None:
        for record in content["annotations"]:
            record["bbox"] = change(*record["bbox"])

    return edit


def set_areas(area: float) -> Callable[[Content], object]:
    return lambda content: [record.update(area=area) for record in content["annotations"]]


def crowded(content: Content) -> None:
    content["annotations"] = [person(number, 1, number, number) for number in range(1, 24)]


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (on_points(lambda x, y: (x / 160, y / 120)), {"normalised": 4}),
        (on_points(lambda x, y: (y, x)), {"swapped_axes": 2}),
        (on_boxes(lambda x, y, w, h: [x, y, x + w, y + h]), {"corner_boxes": 4}),
        (on_boxes(lambda x, y, w, h: [x + w / 2, y + h / 2, w, h]), {"centre_boxes": 4}),
        (on_points(lambda x, y: (160 - x, 120 - y)), {"outside_box": 4}),
        (on_points(lambda x, y: (x, y + (80 if y > 80 else 0))), {"outside_image": 3}),
        (set_areas(1.0), {"area": 4}),
        (set_areas(1e5), {"area": 4}),
        (lambda content: content["annotations"].append(content["annotations"][0] | {"id": 99}), {"duplicate": 1}),
        (crowded, {"over_20_persons": 1}),
    ],
)
def test_an_error_is_found(edit: Callable[[Content], object], expected: dict[str, int]) -> None:
    assert kinds_of(edit) == expected


def test_clean_data_has_no_warning() -> None:
    assert kinds_of() == {}
    photographs = load_annotations(photographs_folder() / "annotations.json", COCO_PERSON)
    assert annotation_warnings(photographs, COCO_PERSON) == []


def test_one_person_in_the_corner_of_an_image_has_no_corner_box() -> None:
    assert kinds_of(lambda content: content["annotations"].__setitem__(slice(None), [person(1, 1, 2, 2)])) == {}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sigmas": tuple(10 * sigma for sigma in TORSO.sigmas)}, {"sigmas": 5}),
        ({"sigmas": tuple(sigma / 100 for sigma in TORSO.sigmas)}, {"sigmas": 5}),
        ({}, {}),
    ],
)
def test_a_skeleton_is_checked(changes: dict[str, object], expected: dict[str, int]) -> None:
    found = skeleton_warnings(Skeleton.model_validate(TORSO.model_dump() | changes))
    assert {warning.kind: warning.count for warning in found} == expected
