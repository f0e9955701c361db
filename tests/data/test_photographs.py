import json

import cv2
import pytest
from pycocotools import coco as coco_api

from transpose.data.photographs import photographs_folder
from transpose.skeleton import COCO_PERSON

FREE_LICENCES = {"CC BY 2.0", "CC BY-SA 2.0"}


@pytest.fixture(scope="module")
def content() -> dict:
    return json.loads((photographs_folder() / "annotations.json").read_text())


def test_every_photograph_may_be_copied_and_is_attributed(content: dict):
    attribution = (photographs_folder() / "ATTRIBUTION.md").read_text()
    licences = {licence["id"]: licence for licence in content["licenses"]}
    for image in content["images"]:
        licence = licences[image["license"]]
        assert licence["name"] in FREE_LICENCES
        (row,) = [line for line in attribution.splitlines() if image["file_name"] in line]
        for stated in (image["flickr_url"], licence["name"], licence["url"]):
            assert stated in row
    assert "creativecommons.org/licenses/by/4.0" in attribution


def test_files_and_records_correspond(content: dict):
    files = {path.name for path in (photographs_folder() / "images").iterdir()}
    assert files == {image["file_name"] for image in content["images"]}
    for image in content["images"]:
        pixels = cv2.imread(str(photographs_folder() / "images" / image["file_name"]))
        assert pixels is not None
        assert pixels.shape == (image["height"], image["width"], 3)


def test_annotations_are_cocos(content: dict):
    assert content["categories"][0]["keypoints"] == list(COCO_PERSON.keypoints)
    people = content["annotations"]
    assert len(content["images"]) == 17
    assert (len(people), sum(each["iscrowd"] for each in people)) == (87, 3)
    assert sum(each["num_keypoints"] > 0 for each in people) == 42
    for each in people:
        assert sum(v > 0 for v in each["keypoints"][2::3]) == each["num_keypoints"]


def test_the_official_reader_reads_masks(content: dict, capsys: pytest.CaptureFixture[str]):
    reader = coco_api.COCO(str(photographs_folder() / "annotations.json"))
    for each in content["annotations"][:5]:
        assert reader.annToMask(each).sum() == pytest.approx(each["area"], rel=0.1, abs=30)


def test_some_photographs_have_no_person(content: dict):
    peopled = {each["image_id"] for each in content["annotations"]}
    assert len(content["images"]) > len(peopled)
