"""Numbers of person crops, each from the first place that knows it."""

from pathlib import Path
from typing import Any

import pytest

from tests.helpers.detector_study import with_detector
from transpose.config.base import read_yaml
from transpose.config.study import Split
from transpose.errors import InputError
from transpose.forecast.persons import boxes_of, count_crops, labelled_persons
from transpose.study.plan import Plan

CONFIG = Path(__file__).parents[2] / "config"


@pytest.fixture
def demo(tmp_path: Path) -> dict[str, Any]:
    """The demo's study with nothing rendered."""
    return read_yaml(CONFIG / "config.yaml") | {"resources": str(tmp_path)}


OWN = Split(dataset="own", split="val")


def test_images_that_are_not_rendered_yet_are_expected_to_show_people(demo: dict[str, Any]) -> None:
    plan = Plan.of_config(demo | {"forecast": {"rendered_persons_per_image": 2}}, CONFIG)
    crops = labelled_persons(plan, Split(dataset="synthetic", split="train"))
    assert (crops.number, crops.origin) == (1800, "expected, not rendered yet")


def test_annotations_that_are_there_are_counted(demo: dict[str, Any]) -> None:
    crops = labelled_persons(Plan.of_config(demo, CONFIG), Split(dataset="photographs", split="val"))
    assert (crops.number, crops.origin) == (42, "its annotations")


def test_a_stated_number_goes_before_a_file(demo: dict[str, Any]) -> None:
    plan = Plan.of_config(demo | {"forecast": {"persons": {"photographs": {"val": 7}}}}, CONFIG)
    assert labelled_persons(plan, Split(dataset="photographs", split="val")).number == 7


def test_missing_numbers_are_unknown(demo: dict[str, Any], tmp_path: Path) -> None:
    plan = with_detector(demo, tmp_path / "detections.json")
    assert labelled_persons(plan, OWN).number is None
    assert boxes_of(plan, OWN, "detector").number is None
    assert [crops.number for crops in count_crops(plan).predicted.values()] == [None]


def test_detections_are_counted_or_stated(demo: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "detections.json"
    path.write_text("[{}, {}, {}]", encoding="utf-8")
    assert boxes_of(with_detector(demo, path), OWN, "detector").number == 3


def test_a_stated_number_of_detections_needs_no_file(demo: dict[str, Any], tmp_path: Path) -> None:
    plan = with_detector(demo, tmp_path / "detections.json", detections={"own": {"val": 9}})
    assert boxes_of(plan, OWN, "detector").number == 9


def test_a_detection_file_that_holds_no_list_is_named(demo: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "detections.json"
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match=r"detections\.json: must be a list"):
        boxes_of(with_detector(demo, path), OWN, "detector")
