"""The files behind box sources, by path and by URL."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from transpose.config.base import parse
from transpose.config.box_files import BoxFile, absent_box_file, box_file
from transpose.config.dataset import Dataset, DetectionBoxes
from transpose.config.download import load_file
from transpose.config.load import load_dataset
from transpose.errors import InputError

DIGEST = "a" * 64
DATASET = Dataset.model_validate(
    {
        "title": "COCO",
        "source": {"kind": "photographs"},
        "boxes": {
            "annotated": {"kind": "ground_truth"},
            "simulated": {"kind": "simulated"},
            "found": {
                "kind": "detections",
                "files": {"val": "mine.json", "test": "https://example.org/t.json"},
                "sha256": {"test": DIGEST},
            },
            "listed": {
                "kind": "detections",
                "files": {"val": "boxes/d.json"},
                "sha256": {"val": DIGEST},
                "listed_as": {"val": "coco_boxes"},
            },
            "detector": {"kind": "detector", "model": "http://example.org/m/yolox.onnx", "sha256": DIGEST},
        },
        "benchmarks": {"val": "coco_val2017", "test": "coco_test_dev2017"},
    }
)


def test_each_source_has_its_file() -> None:
    expected = {
        ("annotated", "val"): None,
        ("simulated", "val"): None,
        ("found", "val"): BoxFile("mine.json", None),
        ("listed", "val"): BoxFile("boxes/d.json", DIGEST, "coco_boxes"),
        ("found", "test"): BoxFile("https://example.org/t.json", DIGEST),
        ("detector", "val"): BoxFile("http://example.org/m/yolox.onnx", DIGEST),
    }
    assert {place: box_file(DATASET.boxes[place[0]], place[1]) for place in expected} == expected


def test_a_path_is_its_own_place(tmp_path: Path) -> None:
    assert BoxFile("data/boxes.json", None).local_path(tmp_path) == Path("data/boxes.json")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.org/a/boxes.json?download=1", "boxes.json"),
        ("https://example.org/", "file"),
        ("https://example.org/..%2f..%2fetc%2fpasswd", "passwd"),
        ("https://example.org/a%20b/.hidden$(rm)", "hidden__rm_"),
    ],
)
def test_a_url_has_a_place_of_its_own_inside_the_folder(tmp_path: Path, url: str, name: str) -> None:
    path = BoxFile(url, None).local_path(tmp_path)
    assert path.name == name
    assert path.parent.parent == tmp_path
    assert BoxFile(f"{url}x", None).local_path(tmp_path).parent != path.parent


@pytest.mark.parametrize(
    ("boxes", "split", "words"),
    [
        ("found", "val", "COCO_val2017_detections_AP_H_56_person.json (person AP 56.4, 104,125 boxes)"),
        ("found", "test", "COCO_test-dev2017_detections_AP_H_609_person.json (person AP 60.9)"),
        ("found", "train", "a detection file in COCO's format"),
        ("listed", "val", "`transpose step download-listed-file coco_boxes --output d.json` downloads it"),
        ("detector", "val", "a person detector in ONNX format"),
    ],
)
def test_a_missing_file_is_reported_with_the_one_needed(boxes: str, split: str, words: str) -> None:
    message = str(absent_box_file(Path("d.json"), DATASET, split, boxes))
    others = ", ".join(name for name in DATASET.boxes if name != boxes)
    assert message.startswith("d.json: no such file; ")
    assert message.endswith(f"or choose another box source: {others}")
    assert words in message


@pytest.mark.parametrize("files", [{}, {"val": "https://example.org/d.json"}])
def test_only_files_with_a_path_are_listed(files: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="listed_as is for files with a path, and split val has none"):
        DetectionBoxes(kind="detections", files=files, listed_as={"val": "coco_boxes"})


@pytest.mark.parametrize(
    "boxes",
    [
        {"kind": "detections", "files": {"val": "https://me:s3cret@example.org/d.json"}},
        {"kind": "detector", "model": "HTTP://s3cret@example.org/d.onnx"},
    ],
)
def test_a_url_with_a_password_is_refused_without_repeating_it(boxes: dict[str, object]) -> None:
    values = DATASET.model_dump(mode="json") | {"boxes": {"detector": boxes}}
    with pytest.raises(InputError, match=r"must not contain a user name or password.*\.\.\.@example") as refused:
        parse(Dataset, values, "d.yaml")
    assert "s3cret" not in str(refused.value)


def test_the_published_detections_have_one_digest() -> None:
    config = Path(__file__).parents[2] / "config"
    file = box_file(load_dataset("coco", config / "datasets").boxes["detector"], "val2017")
    assert file is not None
    assert file.listed_as is not None
    row = load_file(file.listed_as, config / "tables" / "downloads.yaml")
    assert file.sha256 == row.sha256
    assert Path(file.address).name == row.version
    assert row.bytes == 16_383_781
    assert len(row.urls) >= 2
