"""Submissions to the COCO evaluation server."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from transpose.errors import InputError
from transpose.evaluation.submission import write_submission
from transpose.skeleton import COCO_PERSON

NAME = "person_keypoints_test-dev2017_tp_r_a3_results"
PERSON = {"image_id": 7, "category_id": 1, "keypoints": [1.0, 2.0, 0.5] * 17, "score": 0.9}


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    path = tmp_path / "annotations.json"
    images = [{"id": 7, "file_name": "7.jpg", "height": 4, "width": 6}]
    content = {"images": images, "annotations": [], "categories": [{"id": 1, "name": "person"}]}
    path.write_text(json.dumps(content))
    return path


def make_submission(annotations: Path, records: list[dict[str, Any]]) -> Path:
    predictions = annotations.with_name("predictions.json")
    predictions.write_text(json.dumps(records))
    output = annotations.with_name(f"{NAME}.zip")
    write_submission(predictions, annotations, COCO_PERSON, output)
    return output


def test_the_zip_holds_one_file_of_its_own_name_with_the_predictions(annotations: Path) -> None:
    with zipfile.ZipFile(make_submission(annotations, [PERSON])) as archive:
        assert archive.namelist() == [f"{NAME}.json"]
        assert json.loads(archive.read(f"{NAME}.json")) == [PERSON]


def test_equal_predictions_give_equal_bytes(annotations: Path) -> None:
    first = make_submission(annotations, [PERSON]).read_bytes()
    assert make_submission(annotations, [PERSON]).read_bytes() == first


@pytest.mark.parametrize(
    ("records", "problem"),
    [([], "contains no predictions"), ([PERSON | {"image_id": 8}], r"record\[0\]: image_id: 8 is not an image")],
)
def test_what_the_server_would_refuse_is_refused(
    annotations: Path, records: list[dict[str, Any]], problem: str
) -> None:
    with pytest.raises(InputError, match=problem):
        make_submission(annotations, records)
    assert not annotations.with_name(f"{NAME}.zip").exists()
