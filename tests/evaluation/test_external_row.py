"""Metrics of external results: those of the evaluation, the box source where it can be known, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.injected_errors import Scene, exact_scene
from tests.helpers.torso_data import torso_dataset
from transpose.config.bootstrap import Bootstrap
from transpose.config.load import read_record
from transpose.config.study import EvalSetting, Study
from transpose.data.boxes import PersonBoxes, ground_truth_boxes, write_boxes
from transpose.errors import InputError
from transpose.evaluation.external_row import ExternalRow, write_external
from transpose.evaluation.matches import read_matches
from transpose.evaluation.oks import evaluate_keypoints
from transpose.files import sha256_of_file, write_json
from transpose.skeleton import COCO_PERSON
from transpose.study.layout import RecordKind, ResultsLayout

Record = dict[str, Any]


class Folder:
    """A results folder with the records and boxes of a study that has external results."""

    def __init__(self, folder: Path) -> None:
        self.scene: Scene = exact_scene(COCO_PERSON).missed(3, 1).missed(3, 2).jittered(6, 5)
        self.layout, self.results = ResultsLayout(folder / "results"), folder / "theirs.json"
        self.annotations = folder / "annotations.json"
        split = {"dataset": "people", "split": "val"}
        study = {
            "name": "study",
            "variants": ["r_sine"],
            "train": split,
            "validation": split,
            "evaluations": [{**split, "boxes": ["ground_truth", "moved"]}],
            "external": [{**split, "name": "theirs", "title": "Theirs", "results": str(self.results)}],
        }
        boxes = {"ground_truth": {"kind": "ground_truth"}, "moved": {"kind": "simulated"}}
        dataset = torso_dataset(folder, skeleton=COCO_PERSON.model_dump(), boxes=boxes)
        self.study = Study.model_validate(study)
        records = {
            (RecordKind.STUDY, "study"): self.study,
            (RecordKind.DATASET, "people"): dataset,
            (RecordKind.EXTERNAL, "theirs"): self.study.external_of("theirs"),
            (RecordKind.BOOTSTRAP, "study"): Bootstrap(samples=20, seed=0),
        }
        for key, record in records.items():
            write_json(self.layout.record(*key), record.model_dump(mode="json"))
        write_json(self.annotations, self.scene.annotations.to_coco())
        self.boxes = ground_truth_boxes(self.scene.annotations)
        moved = PersonBoxes(
            self.boxes.image_ids,
            self.boxes.boxes_xywh + np.array([7.0, 0, 0, 0]),
            self.boxes.scores,
            np.full(len(self.boxes), -1),
        )
        for name, source in (("ground_truth", self.boxes), ("moved", moved)):
            write_boxes(source, self.layout.boxes(EvalSetting("people", "val", name)))

    def row(self, edit: Callable[[int, Record], Record] = lambda number, record: record) -> ExternalRow:
        records = [edit(number, record) for number, record in enumerate(self.scene.results.to_coco())]
        self.results.write_text(json.dumps(records))
        write_external(self.layout, "theirs", self.annotations)
        return read_record(ExternalRow, self.layout.external("theirs"))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_metrics_are_those_of_the_evaluation(folder: Folder) -> None:
    row = folder.row()
    expected = evaluate_keypoints(folder.scene.annotations, folder.scene.results, COCO_PERSON)
    assert row.metrics == expected.statistics
    assert (row.name, row.title, row.dataset, row.split) == ("theirs", "Theirs", "people", "val")
    assert row.predictions_sha256 == sha256_of_file(folder.results)
    assert row.annotations_sha256 == sha256_of_file(folder.annotations)
    assert row.errors.keypoints["miss"].count == 2
    assert len(row.keypoints) == 17
    table = read_matches(folder.layout.external("theirs").with_suffix(".npz"))
    np.testing.assert_array_equal(table.matched, expected.matches.matched)


def test_boxes_are_found_by_their_centres(folder: Folder) -> None:
    boxes = folder.boxes.boxes_xywh

    def official(number: int, record: Record) -> Record:
        x, y, width, height = boxes[number].tolist()
        return {**record, "center": [x + (width - 1) / 2, y + (height - 1) / 2], "scale": [1.0, 1.0]}

    def moved(number: int, record: Record) -> Record:
        return {**record, "bbox": (boxes[number] + np.array([7.0, 0, 0, 0])).tolist()}

    row = folder.row(official)
    assert (row.boxes, row.boxes_kind) == ("ground_truth", "ground_truth")
    row = folder.row(moved)
    assert (row.boxes, row.boxes_kind) == ("moved", "simulated")


def test_other_boxes_are_unknown(folder: Folder) -> None:
    assert folder.row().boxes is None
    assert folder.row(lambda number, record: {**record, "bbox": [1.0, 2.0, 3.0, 4.0]}).boxes is None
    assert folder.row(lambda number, record: {**record, "bbox": None} if number else record).boxes is None


def test_a_file_of_a_subset_or_of_other_images_is_refused(folder: Folder) -> None:
    with pytest.raises(InputError, match=r"theirs\.json: image_id: 1 predictions are in images that"):
        folder.row(lambda number, record: {**record, "image_id": 99} if number == 4 else record)
    few = folder.scene.results.select(folder.scene.results.image_ids < 3)
    folder.scene = Scene(folder.scene.annotations, few, COCO_PERSON)
    with pytest.raises(InputError, match=r"has predictions in 2 of the 10 images with persons$"):
        folder.row()
    assert not folder.layout.external("theirs").exists()
