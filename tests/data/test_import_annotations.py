"""Exports of labelling tools are read, what follows from other fields is derived, and what is wrong is named."""

import codecs
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.torso_data import TORSO, Content, torso_content, torso_folder
from transpose.config.dataset import CategoryChoice
from transpose.data.coco import parse_annotations
from transpose.data.import_annotations import ImportedAnnotations, import_annotations
from transpose.errors import InputError

PERSON = {"id": 1, "name": "person", "keypoints": list(TORSO.keypoints)}
COW = {"id": 7, "name": "cow", "keypoints": list(TORSO.keypoints)}


def imported(
    folder: Path, edit: Callable[[Content], object] = lambda content: None, category: CategoryChoice = None
) -> ImportedAnnotations:
    return import_annotations(torso_folder(folder, edit) / "annotations.json", TORSO, category)


def each(content: Content, **values: object) -> None:
    """Set fields of all persons; None removes them."""
    for record in content["annotations"]:
        for field, value in values.items():
            record[field] = value
            if value is None:
                del record[field]


def label_studio(content: Content) -> None:
    content["categories"][0]["id"] = 0
    each(content, category_id=0, area=None, iscrowd=None)
    for position, record in enumerate(content["annotations"]):
        record["id"] = position
    for record in content["images"]:
        record["file_name"] = f"images/{record['file_name']}"


def second_label(content: Content) -> None:
    content["categories"] = [{"id": 1, "name": "car"}, PERSON | {"id": 2}]
    each(content, category_id=2)
    content["annotations"].append({"id": 99, "image_id": 1, "category_id": 1, "bbox": [0, 0, 5, 5]})


def several_categories(content: Content) -> None:
    content["categories"] = [PERSON, COW]
    content["annotations"][0]["category_id"] = 7


def text_ids(content: Content) -> None:
    for record in content["images"]:
        record["id"] = str(record["id"])
    each(content, category_id="1")
    for record in content["annotations"]:
        record |= {"id": str(record["id"]), "image_id": str(record["image_id"])}


def names_as_ids(content: Content) -> None:
    for record in content["images"]:
        record["id"] = f"image-{record['id']}"
    for record in content["annotations"]:
        record |= {"id": f"a-{record['id']}", "image_id": f"image-{record['image_id']}"}


def float_ids(content: Content) -> None:
    for record in content["images"]:
        record |= {field: float(record[field]) for field in ("id", "height", "width")}
    each(content, category_id=1.0, iscrowd=0.0, num_keypoints=5.0)
    for record in content["annotations"]:
        record |= {"id": float(record["id"]), "image_id": float(record["image_id"])}


def unlabelled_nan(content: Content) -> None:
    content["annotations"][0]["keypoints"][:3] = [float("nan"), float("nan"), 0]
    content["annotations"][1]["keypoints"][:3] = [None, None, None]
    content["annotations"][2]["keypoints"][:3] = [None, None, 0]
    each(content, num_keypoints=4)
    content["annotations"][3]["num_keypoints"] = 5


def nested_points(content: Content) -> None:
    for record in content["annotations"]:
        points = record["keypoints"]
        record["keypoints"] = [points[start : start + 3] for start in range(0, 15, 3)]


def visible_counts(content: Content) -> None:
    content["annotations"][0]["keypoints"][2] = 1
    content["annotations"][0]["num_keypoints"] = 4


def outlines(content: Content) -> None:
    each(content, area=None, bbox=None, segmentation=[[10, 20, 50, 20, 50, 80, 10, 80]])
    content["annotations"][1]["segmentation"] = {"size": [120, 160], "counts": [120 * 20 + 10, 30, 120 * 140 - 40]}
    content["annotations"][2]["segmentation"] = []


def other_spelling(content: Content) -> None:
    names = ["Nose", "left shoulder", "Right-Shoulder", "left_hip", "right_hip"]
    content["categories"][0]["keypoints"] = names


@pytest.mark.parametrize(
    ("edit", "derived", "left_out"),
    [
        (lambda content: None, {}, {}),
        (label_studio, {"id": 4, "area": 4, "area_from_box": 4, "iscrowd": 4}, {}),
        (second_label, {}, {"other_category": 1}),
        (several_categories, {}, {}),
        (text_ids, {}, {}),
        (names_as_ids, {"id": 4, "image_id": 2}, {}),
        (float_ids, {}, {}),
        (unlabelled_nan, {"keypoints": 3}, {}),
        (nested_points, {}, {}),
        (visible_counts, {"num_keypoints": 1}, {}),
        (lambda content: each(content, num_keypoints=None), {"num_keypoints": 4}, {}),
        (lambda content: each(content, category_id=None), {}, {}),
        (lambda content: each(content, iscrowd=False), {}, {}),
        (
            outlines,
            {"bbox": 4, "bbox_from_keypoints": 1, "area": 4, "area_from_box": 1},
            {},
        ),
        (lambda content: content["annotations"][0].pop("keypoints"), {}, {"no_keypoints_field": 1}),
        (lambda content: content["categories"][0].pop("keypoints"), {}, {}),
        (other_spelling, {}, {}),
    ],
)
def test_what_follows_is_derived_and_counted(
    tmp_path: Path, edit: Callable[[Content], object], derived: dict[str, int], left_out: dict[str, int]
) -> None:
    found = imported(tmp_path, edit)
    assert (dict(found.derived), dict(found.left_out)) == (derived, left_out)
    category = {"id": 1, "name": "person", "keypoints": list(TORSO.keypoints)}
    content = {"images": found.images, "annotations": found.persons, "categories": [category]}
    assert len(parse_annotations(tmp_path, content, TORSO).persons) == 4 - left_out.get("no_keypoints_field", 0)


def test_plain_coco_stays_as_it_is(tmp_path: Path) -> None:
    found, plain = imported(tmp_path), torso_content()
    assert (found.images, found.persons) == (plain["images"], plain["annotations"])


def test_derived_values(tmp_path: Path) -> None:
    found = imported(tmp_path, outlines)
    polygon, run_lengths, points, _ = found.persons
    assert (polygon["bbox"], polygon["area"]) == ([10, 20, 40, 60], 2400)
    assert (run_lengths["bbox"], run_lengths["area"]) == ([20, 10, 1, 30], 30)
    assert points["bbox"] == [20, 28, 40, 62]
    assert points["area"] == pytest.approx(0.53 * 40 * 62)
    assert [person["keypoints"][:3] for person in imported(tmp_path / "nan", unlabelled_nan).persons[:3]] == [
        [0, 0, 0]
    ] * 3


@pytest.mark.parametrize("category", ["cow", 7, ["person", 7]])
def test_a_category_is_chosen_by_name_or_id(tmp_path: Path, category: CategoryChoice) -> None:
    found = imported(tmp_path, several_categories, category)
    assert len(found.persons) == (4 if isinstance(category, list) else 1)
    assert found.left_out["other_category"] == 4 - len(found.persons)
    assert {7, "cow"} <= set(found.category_names)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_error(tmp_path: Path, encoding: str) -> None:
    path = torso_folder(tmp_path) / "annotations.json"
    path.write_bytes(path.read_text().encode(encoding))
    assert path.read_bytes().startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    assert len(import_annotations(path, TORSO).persons) == 4


def other_keypoints(content: Content) -> None:
    content["categories"] = [PERSON, COW | {"keypoints": ["horn"]}]


def set_point(index: int, value: object) -> Callable[[Content], object]:
    return lambda content: content["annotations"][0]["keypoints"].__setitem__(index, value)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (set_point(0, float("nan")), r"annotation 10: keypoints: has a labelled point \(nan, "),
        (set_point(2, 0.87), "annotation 10: keypoints: has the visibility 0.87, which must be 0, 1 or 2"),
        (set_point(2, -1), "annotation 10: keypoints: has the visibility -1"),
        (set_point(2, 3), "annotation 10: keypoints: has the visibility 3"),
        (lambda content: content["annotations"][0]["keypoints"].pop(), "must have 15 numbers, not 14"),
        (
            other_keypoints,
            "category cow: keypoints: are horn; the skeleton 'torso' has nose, .*chooses one",
        ),
        (lambda content: each(content, image_id=77), "annotation 10: image_id: no image has the id 77"),
        (lambda content: each(content, bbox=[1, 2, -3, 4]), "annotation 10: bbox: has a negative width or height"),
        (lambda content: each(content, area=-1), "annotation 10: area: must be a number that is not negative"),
        (lambda content: each(content, iscrowd=2), "annotation 10: iscrowd: must be 0 or 1, not 2"),
        (lambda content: each(content, id=4), "annotation 4: id: 4 records have this id"),
        (lambda content: content.pop("categories"), "missing fields: categories"),
        (
            lambda content: (each(content, image_id=None), content["images"][1].pop("file_name")),
            r"missing fields: images\[1\]: file_name; annotations\[0\] and 3 more: image_id",
        ),
        (lambda content: content["images"][0].update(height=0), None),
        (lambda content: content["images"][0].update(height=-5), "image 1: height: must be a positive number"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, edit: Callable[[Content], object], message: str | None) -> None:
    if message is None:
        assert "height" not in imported(tmp_path, edit).images[0]
        return
    with pytest.raises(InputError, match=message):
        imported(tmp_path, edit)


def test_an_unknown_category_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no category 'horse'; known are person \(1\), cow \(7\)"):
        imported(tmp_path, several_categories, "horse")
    with pytest.raises(InputError, match=r"none lists keypoints; set `category:` to one of cat \(3\), dog \(4\)"):
        imported(
            tmp_path / "other",
            lambda content: content.update(categories=[{"id": 3, "name": "cat"}, {"id": 4, "name": "dog"}]),
        )


def test_head_sizes_and_the_flag_of_boxes_stay(tmp_path: Path) -> None:
    def edit(content: Content) -> None:
        content["info"] = {"clip_boxes": False}
        each(content, head_size=12.5)

    found = imported(tmp_path, edit)
    assert not found.clips_boxes
    assert json.dumps([record["head_size"] for record in found.persons]) == "[12.5, 12.5, 12.5, 12.5]"


def with_feet(content: Content) -> None:
    """Two of the five keypoints in a field of their own, as COCO-WholeBody's feet."""
    content["categories"][0]["keypoints"] = list(TORSO.keypoints[:3])
    for record in content["annotations"]:
        record["keypoints"], record["foot_kpts"] = record["keypoints"][:9], record["keypoints"][9:]
        record["num_keypoints"] = 3


def test_keypoints_in_several_fields_are_joined(tmp_path: Path) -> None:
    path = torso_folder(tmp_path / "parts", with_feet) / "annotations.json"
    found = import_annotations(path, TORSO, keypoint_fields=("keypoints", "foot_kpts"))
    whole = imported(tmp_path / "whole")
    assert [person["keypoints"] for person in found.persons] == [person["keypoints"] for person in whole.persons]
    assert found.derived == {"num_keypoints": 4}


def test_an_absent_field_of_keypoints_is_named(tmp_path: Path) -> None:
    def edit(content: Content) -> None:
        with_feet(content)
        del content["annotations"][1]["foot_kpts"]

    path = torso_folder(tmp_path / "parts", edit) / "annotations.json"
    with pytest.raises(InputError, match="annotation 11: foot_kpts: must be a list of points"):
        import_annotations(path, TORSO, keypoint_fields=("keypoints", "foot_kpts"))


def test_the_crowd_index_of_an_image_is_kept(tmp_path: Path) -> None:
    def edit(content: Content) -> None:
        content["images"][1]["crowdIndex"] = 0.35

    assert [image.get("crowdIndex") for image in imported(tmp_path / "mine", edit).images] == [None, 0.35]
