import json
from collections.abc import Callable

import numpy as np
import pytest

from transpose.data.coco import ImageTable, clip_boxes, dropped_instances, load_annotations, training_instances
from transpose.errors import InputError
from transpose.skeleton import COCO_PERSON


def change(folder, edit: Callable[[dict], object]):
    path = folder / "annotations.json"
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))
    return path


def test_fields_arrive_in_the_file_order(tiny_dataset):
    path = tiny_dataset / "annotations.json"
    content = json.loads(path.read_text())
    loaded = load_annotations(path, COCO_PERSON)
    assert loaded.images.ids.tolist() == [11, 12, 13, 14]
    assert loaded.images.sizes_hw.tolist() == [[120, 160], [160, 120], [96, 96], [100, 140]]
    assert loaded.images.file_names[0] == "000000000011.jpg"
    for column, field in [
        ("annotation_ids", "id"),
        ("image_ids", "image_id"),
        ("boxes_xywh", "bbox"),
        ("areas", "area"),
    ]:
        values = [annotation[field] for annotation in content["annotations"]]
        np.testing.assert_array_equal(getattr(loaded.persons, column), values)
    flat = loaded.persons.keypoints.reshape(len(loaded.persons), -1)
    np.testing.assert_array_equal(flat, [annotation["keypoints"] for annotation in content["annotations"]])
    assert loaded.persons.is_crowd.tolist() == [False] * 5 + [True]


@pytest.mark.parametrize("clips", [True, False])
def test_what_is_written_is_read_again(tiny_dataset, clips):
    path = change(tiny_dataset, lambda content: content.update(info={"clip_boxes": clips}))
    first = load_annotations(path, COCO_PERSON)
    path.write_text(json.dumps(first.to_coco()))
    again = load_annotations(path, COCO_PERSON)
    assert again.to_coco() == first.to_coco()
    assert again.clips_boxes == clips


def test_official_files_load(reference_dir):
    path = reference_dir / "evaluation_gt.json"
    if not path.is_file():
        pytest.skip("no golden evaluation")
    loaded = load_annotations(path, COCO_PERSON)
    assert len(loaded.persons) > len(training_instances(loaded)) > 0


def test_training_takes_persons_with_keypoints_and_clips_their_boxes(tiny_dataset):
    selected = training_instances(load_annotations(tiny_dataset / "annotations.json", COCO_PERSON))
    assert selected.annotation_ids.tolist() == [101, 102, 103, 104]
    # The official clipping moves the left edge first and then measures the full width from there.
    assert selected.boxes_xywh[2].tolist() == [0, 20, 70, 120]


def test_persons_without_area_are_not_trained_on(tiny_dataset):
    path = change(tiny_dataset, lambda content: content["annotations"][0].update(area=0))
    assert 101 not in training_instances(load_annotations(path, COCO_PERSON)).annotation_ids


@pytest.mark.parametrize(
    ("bbox", "clipped"),
    [([10, 10, 0, 30], [10, 10, 1, 30]), ([10, 10, 30, 0], [10, 10, 30, 1]), ([10, 10, 0, 0], [10, 10, 1, 1])],
)
def test_boxes_without_width_or_height_are_a_pixel_wide_as_officially(tiny_dataset, bbox, clipped):
    path = change(tiny_dataset, lambda content: content["annotations"][0].update(bbox=bbox))
    selected = training_instances(load_annotations(path, COCO_PERSON))
    assert selected.annotation_ids[0] == 101
    assert selected.boxes_xywh[0].tolist() == clipped


def test_frames_without_extent_are_not_trained_on(tiny_dataset):
    def edit(content):
        content["info"] = {"clip_boxes": False}
        content["annotations"][0].update(bbox=[10, 10, 0, 0])
        content["annotations"][1].update(bbox=[10, 10, 0, 30])

    loaded = load_annotations(change(tiny_dataset, edit), COCO_PERSON)
    assert training_instances(loaded).annotation_ids.tolist()[:1] == [102]
    assert dropped_instances(loaded)["no_area"] == 1


def test_keypoints_outside_of_the_image_stay_where_they_are(tiny_dataset):
    outside = [-30.0, 5000.0, 2] * 17
    path = change(tiny_dataset, lambda content: content["annotations"][0].update(keypoints=outside, num_keypoints=17))
    loaded = training_instances(load_annotations(path, COCO_PERSON))
    assert loaded.annotation_ids[0] == 101
    assert loaded.keypoints[0].reshape(-1).tolist() == outside


def test_clipping_counts_whole_pixels():
    boxes = np.array([[10, 10, 200, 20], [-5, -5, 20, 20], [99, 0, 5, 5], [100, 0, 5, 5], [3, 4, 0, 0.5]], dtype=float)
    clipped, inside = clip_boxes(boxes, np.full((5, 2), (50, 100)))
    assert clipped[inside].tolist() == [[10, 10, 90, 20], [0, 0, 20, 20], [99, 0, 1, 5], [3, 4, 1, 1]]
    assert inside.tolist() == [True, True, True, False, True]


def test_images_are_found_by_id_in_any_order():
    images = ImageTable(np.array([30, 10, 20]), ["c", "a", "b"], np.ones((3, 2), dtype=np.int32))
    assert images.find(np.array([10, 20, 30, 5, 25, 99])).tolist() == [1, 2, 0, -1, -1, -1]
    assert ImageTable(np.empty(0, dtype=np.int64), [], np.empty((0, 2))).find(np.array([1])).tolist() == [-1]


def test_one_image_is_found_by_its_id(tiny_dataset):
    annotations = load_annotations(tiny_dataset / "annotations.json", COCO_PERSON)
    assert annotations.image_index(13) == 2
    with pytest.raises(KeyError):
        annotations.image_index(99)


def test_a_category_may_list_no_keypoints(tiny_dataset):
    path = change(tiny_dataset, lambda content: content["categories"][0].pop("keypoints"))
    assert len(load_annotations(path, COCO_PERSON).persons) == 6


def test_a_file_without_persons_loads(tiny_dataset):
    path = change(tiny_dataset, lambda content: content.update(annotations=[]))
    loaded = load_annotations(path, COCO_PERSON)
    assert loaded.persons.keypoints.shape == (0, 17, 3)
    assert len(training_instances(loaded)) == 0


def annotation(**fields):
    return lambda content: content["annotations"][2].update(fields)


def image(**fields):
    return lambda content: content["images"][1].update(fields)


def without(table, position, field):
    return lambda content: content[table][position].pop(field)


FAULTS = {
    "table missing": (lambda content: content.pop("images"), ["images", "missing"]),
    "table ill-typed": (lambda content: content.update(annotations={}), ["annotations", "must be a list"]),
    "record ill-typed": (lambda content: content["annotations"].append(3), ["annotations[6]", "must be an object"]),
    "annotation id missing": (without("annotations", 2, "id"), ["annotations[2]", "id", "missing"]),
    "annotation id twice": (annotation(id=102), ["annotation 102", "id", "2 records"]),
    "annotation id a text": (annotation(id="7"), ["annotations[2]", "id", "integer", "'7'"]),
    "annotation id negative": (annotation(id=-7), ["annotations[2]", "id", "-7"]),
    "annotation id huge": (annotation(id=10**30), ["annotations[2]", "id"]),
    "image unknown": (annotation(image_id=99), ["annotation 103", "image_id", "99"]),
    "image ill-typed": (annotation(image_id=True), ["annotation 103", "image_id", "integer"]),
    "box missing": (without("annotations", 2, "bbox"), ["annotation 103", "bbox", "missing"]),
    "box short": (annotation(bbox=[1, 2, 3]), ["annotation 103", "bbox", "4", "3"]),
    "box ill-typed": (annotation(bbox="wide"), ["annotation 103", "bbox", "list"]),
    "box of texts": (annotation(bbox=["1", "2", "3", "4"]), ["annotation 103", "bbox", "numbers"]),
    "box with nothing": (annotation(bbox=[1, 2, None, 4]), ["annotation 103", "bbox", "numbers"]),
    "box not finite": (annotation(bbox=[1, 2, float("nan"), 4]), ["annotation 103", "bbox", "finite"]),
    "box negative": (annotation(bbox=[1, 2, -3, 4]), ["annotation 103", "bbox", "negative"]),
    "keypoints missing": (without("annotations", 2, "keypoints"), ["annotation 103", "keypoints", "missing"]),
    "keypoints short": (annotation(keypoints=[1] * 50), ["annotation 103", "keypoints", "51", "50"]),
    "keypoints nested": (annotation(keypoints=[[1, 2, 2]] * 51), ["annotation 103", "keypoints", "numbers"]),
    "keypoints not finite": (annotation(keypoints=[float("inf")] * 51), ["annotation 103", "keypoints", "finite"]),
    "keypoints huge": (annotation(keypoints=[10**400] * 51), ["annotation 103", "keypoints", "finite"]),
    "visibility unknown": (annotation(keypoints=[5] * 51), ["annotation 103", "keypoints", "visibility"]),
    "area missing": (without("annotations", 2, "area"), ["annotation 103", "area", "missing"]),
    "area ill-typed": (annotation(area="big"), ["annotation 103", "area", "number"]),
    "area negative": (annotation(area=-1), ["annotation 103", "area", "negative"]),
    "crowd missing": (without("annotations", 2, "iscrowd"), ["annotation 103", "iscrowd", "missing"]),
    "crowd unknown": (annotation(iscrowd=2), ["annotation 103", "iscrowd", "0 or 1"]),
    "crowd ill-typed": (annotation(iscrowd=[]), ["annotation 103", "iscrowd", "0 or 1"]),
    "keypoints far away": (annotation(keypoints=[1e13, 0, 2] * 17), ["annotation 103", "keypoints", "at most 1e+12"]),
    "box far away": (annotation(bbox=[-1e200, 0, 1, 1]), ["annotation 103", "bbox", "at most 1e+12"]),
    "count of none": (annotation(num_keypoints=0), ["annotation 103", "num_keypoints", "is 0, but 1"]),
    "count of some": (
        lambda content: content["annotations"][4].update(num_keypoints=5),
        ["annotation 105", "num_keypoints", "is 5, but 0 keypoints are labelled"],
    ),
    "count missing": (without("annotations", 2, "num_keypoints"), ["annotation 103", "num_keypoints", "missing"]),
    "category unknown": (annotation(category_id=2), ["annotation 103", "category_id", "1"]),
    "category ill-typed": (annotation(category_id=[1]), ["annotation 103", "category_id"]),
    "image id twice": (image(id=11), ["image 11", "id", "2 records"]),
    "image size missing": (without("images", 1, "height"), ["image 12", "height", "missing"]),
    "image size zero": (image(width=0), ["image 12", "width", "positive"]),
    "image size ill-typed": (image(width=1.5), ["image 12", "width", "integer"]),
    "image size wraps": (image(width=2**32 + 120), ["image 12", "width", "at most 1048576 pixels", "4294967416"]),
    "image name absolute": (image(file_name="/etc/passwd"), ["image 12", "file_name", "inside the image folder"]),
    "image name leads out": (image(file_name="a/../../b.jpg"), ["image 12", "file_name", "inside the image folder"]),
    "image name with an end": (image(file_name="a\0.jpg"), ["image 12", "file_name", "a valid file name"]),
    "image name of half a character": (image(file_name="\ud800"), ["image 12", "file_name", "a valid file name"]),
    "image name missing": (without("images", 1, "file_name"), ["image 12", "file_name", "missing"]),
    "image name empty": (image(file_name=""), ["image 12", "file_name", "empty"]),
    "categories missing": (lambda content: content.pop("categories"), ["categories", "missing"]),
    "no persons' category": (
        lambda content: content["categories"][0].update(id=3),
        ["categories", "none has the id 1"],
    ),
    "other keypoints": (
        lambda content: content["categories"][0].update(keypoints=["head"]),
        ["category 1", "keypoints", "coco", "nose"],
    ),
}


@pytest.mark.parametrize(("edit", "words"), FAULTS.values(), ids=FAULTS.keys())
def test_faults_are_reported_with_file_record_and_field(tiny_dataset, edit, words):
    path = change(tiny_dataset, edit)
    with pytest.raises(InputError) as caught:
        load_annotations(path, COCO_PERSON)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    for part in words:
        assert part in message.removeprefix(str(path))


@pytest.mark.parametrize(
    ("text", "words"), [("", "line 1"), ("[1, ", "line 1"), ("[]", "must be an object"), ("3", "object")]
)
def test_files_that_are_no_annotations_are_refused(tmp_path, text, words):
    path = tmp_path / "annotations.json"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        load_annotations(path, COCO_PERSON)


def test_frames_keep_their_place_outside_of_the_image(tiny_dataset):
    path = change(tiny_dataset, lambda content: content.update(info={"clip_boxes": False}))
    selected = training_instances(load_annotations(path, COCO_PERSON))
    assert selected.annotation_ids.tolist() == [101, 102, 103, 104]
    assert selected.boxes_xywh[2].tolist() == [-5, 20, 70, 120]
    path = change(tiny_dataset, lambda content: content.update(info={"clip_boxes": 0}))
    with pytest.raises(InputError, match="info: clip_boxes: must be true or false, not 0"):
        load_annotations(path, COCO_PERSON)
