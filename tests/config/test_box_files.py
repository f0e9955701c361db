"""The files behind box sources, by path and by URL."""

from pathlib import Path

import pytest

from transpose.config.box_files import BoxFile, absent_box_file, box_file
from transpose.config.dataset import Dataset

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
        ("detector", "val", "a person detector in ONNX format"),
    ],
)
def test_a_missing_file_is_reported_with_the_one_needed(boxes: str, split: str, words: str) -> None:
    message = str(absent_box_file(Path("d.json"), DATASET, split, boxes))
    others = ", ".join(name for name in DATASET.boxes if name != boxes)
    assert message.startswith("d.json: no such file; ")
    assert message.endswith(f"or choose another box source: {others}")
    assert words in message
