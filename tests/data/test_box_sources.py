"""Configured box sources return their boxes and count what they drop."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data.onnx_detectors import write_head_model
from transpose.config.dataset import Dataset, SimulatedBoxes
from transpose.config.load import read_record
from transpose.data.box_counts import AnnotatedPersons, BoxCounts
from transpose.data.box_sources import source_boxes, write_source_boxes
from transpose.data.boxes import PersonBoxes, ground_truth_boxes, read_boxes
from transpose.data.coco import CocoAnnotations, load_annotations
from transpose.data.detections import read_detections
from transpose.data.simulated_detector import simulated_boxes
from transpose.errors import InputError
from transpose.files import sha256_of_file, write_json
from transpose.skeleton import COCO_PERSON

BOX = {"image_id": 11, "category_id": 1, "bbox": [1.0, 2.0, 30.0, 40.0], "score": 0.75}


@pytest.fixture
def annotations(tiny_dataset: Path) -> CocoAnnotations:
    return load_annotations(tiny_dataset / "annotations.json", COCO_PERSON)


def dataset_of(source: dict[str, Any], **changes: Any) -> Dataset:
    values = {"title": "tiny", "source": {"kind": "photographs"}, "boxes": {"annotated": {"kind": "ground_truth"}}}
    return Dataset.model_validate(values | {"boxes": values["boxes"] | {"mine": source}} | changes)


def boxes_of(
    source: dict[str, Any], annotations: CocoAnnotations, file: Path | None = None, **changes: Any
) -> tuple[PersonBoxes, BoxCounts]:
    return source_boxes(dataset_of(source, **changes), "val", "mine", annotations, file)


def assert_equal(boxes: PersonBoxes, expected: PersonBoxes) -> None:
    for field in fields(PersonBoxes):
        np.testing.assert_array_equal(getattr(boxes, field.name), getattr(expected, field.name))


def test_annotated_boxes_and_why_the_others_are_dropped(annotations: CocoAnnotations) -> None:
    boxes, counts = boxes_of({"kind": "ground_truth"}, annotations)
    assert_equal(boxes, ground_truth_boxes(annotations))
    # The crowd has no keypoints either: it is counted once.
    assert counts.annotated == AnnotatedPersons(persons=6, crowd=1, no_keypoints=1, no_area=0, outside=0)
    assert (counts.kept, counts.dropped, counts.images, counts.images_without_boxes) == (4, 2, 4, 1)


@pytest.mark.parametrize("seed", [0, 5])
def test_simulated_boxes_obey_their_own_settings(annotations: CocoAnnotations, seed: int) -> None:
    source = SimulatedBoxes(kind="simulated", seed=seed, false_positives=2.0)
    boxes, counts = boxes_of(source.model_dump(), annotations)
    assert_equal(boxes, simulated_boxes(annotations, source))
    assert (counts.kind, counts.kept, counts.dropped, counts.annotated) == ("simulated", len(boxes), 0, None)


def test_detections_are_those_of_the_split_and_the_skipped_are_counted(
    annotations: CocoAnnotations, tmp_path: Path
) -> None:
    files = {}
    for split, score in (("train", 0.25), ("val", 0.75)):
        files[split] = str(tmp_path / f"{split}.json")
        box = BOX | {"score": score}
        write_json(Path(files[split]), [box, *[box | {"category_id": 2}] * 3, *[box | {"image_id": 999}] * 2])
    boxes, counts = boxes_of({"kind": "detections", "files": files}, annotations)
    assert_equal(boxes, read_detections(Path(files["val"]), annotations.images, (1,)).boxes)
    assert boxes.scores.tolist() == [0.75]
    assert (counts.other_categories, counts.unknown_images, counts.dropped) == (3, 2, 5)
    assert (counts.kept, counts.images_without_boxes) == (1, 3)


def test_a_detector_is_run_on_the_images(annotations: CocoAnnotations, tmp_path: Path) -> None:
    write_head_model(tmp_path / "model.onnx", (160, 160))
    source = {"kind": "detector", "model": str(tmp_path / "model.onnx"), "input_size": [160, 160]}
    boxes, counts = boxes_of(source, annotations)
    assert set(boxes.image_ids.tolist()) <= set(annotations.images.ids.tolist())
    assert (counts.kind, counts.kept) == ("detector", len(boxes))
    assert len(boxes)


def test_boxes_and_counts_are_written_side_by_side(annotations: CocoAnnotations, tmp_path: Path) -> None:
    source, output, counted = dataset_of({"kind": "simulated"}), tmp_path / "mine.json", tmp_path / "counts.json"
    counts = write_source_boxes(source, "val", "mine", annotations, None, output, counted)
    assert read_record(BoxCounts, counted) == counts
    assert len(read_boxes(output)) == counts.kept


def test_an_unknown_source_is_reported(annotations: CocoAnnotations, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no source 'other'; known are annotated, mine"):
        write_source_boxes(
            dataset_of({"kind": "simulated"}), "val", "other", annotations, None, tmp_path / "b.json", tmp_path / "b"
        )
    assert not list(tmp_path.glob("b*"))


def test_a_split_without_detections_is_reported(annotations: CocoAnnotations) -> None:
    source = {"kind": "detections", "files": {"test": "a.json", "train": "b.json"}}
    with pytest.raises(InputError, match="files: no detection file for split 'val'; given are test, train"):
        boxes_of(source, annotations)


def test_a_missing_detection_file_is_reported_with_the_papers_and_the_other_sources(
    annotations: CocoAnnotations, tmp_path: Path
) -> None:
    source = {"kind": "detections", "files": {"val": str(tmp_path / "nowhere.json")}}
    with pytest.raises(InputError, match=r"nowhere\.json: no such file; .* another box source: annotated$") as caught:
        boxes_of(source, annotations, benchmarks={"val": "coco_val2017"})
    assert "COCO_val2017_detections_AP_H_56_person.json" in str(caught.value)
    with pytest.raises(InputError) as caught:
        boxes_of(source, annotations)
    assert "COCO_val2017" not in str(caught.value)


def test_a_missing_model_is_reported(annotations: CocoAnnotations, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.onnx: no such file; put a person detector in ONNX format there"):
        boxes_of({"kind": "detector", "model": str(tmp_path / "none.onnx")}, annotations)


def test_the_copy_of_a_url_must_be_named(annotations: CocoAnnotations, tmp_path: Path) -> None:
    source = {"kind": "detections", "files": {"val": "https://example.org/detections.json"}}
    with pytest.raises(InputError, match=r"https://example\.org/detections\.json: is a URL"):
        boxes_of(source, annotations)
    write_json(tmp_path / "copy.json", [BOX])
    boxes, _ = boxes_of(source, annotations, tmp_path / "copy.json")
    assert boxes.scores.tolist() == [0.75]


def test_a_local_file_is_held_to_its_digest(annotations: CocoAnnotations, tmp_path: Path) -> None:
    path = tmp_path / "d.json"
    write_json(path, [BOX])
    source = {"kind": "detections", "files": {"val": str(path)}, "sha256": {"val": sha256_of_file(path)}}
    assert len(boxes_of(source, annotations)[0]) == 1
    write_json(path, [BOX, BOX])
    with pytest.raises(InputError, match=f"d.json: sha256 is [0-9a-f]+, not {source['sha256']['val']} as configured"):
        boxes_of(source, annotations)
