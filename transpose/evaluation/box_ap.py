"""AP of person boxes, computed by pycocotools: the published "person AP" of a detection file."""

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pycocotools.coco as pycoco
import pycocotools.cocoeval as pycocoeval
from pydantic import NonNegativeInt

from transpose.config.base import Name, Settings, parse
from transpose.config.dataset import BoxKind
from transpose.config.study import EvalSetting
from transpose.data.boxes import PersonBoxes, read_boxes
from transpose.data.coco import PERSON_CATEGORY, CocoAnnotations, load_annotations
from transpose.errors import InputError
from transpose.evaluation.analysis_input import read_dataset
from transpose.files import sha256_of_file, write_json
from transpose.study.layout import ResultsLayout

STATISTICS = ("AP", "AP50", "AP75", "APS", "APM", "APL", "AR1", "AR10", "AR", "ARS", "ARM", "ARL")
"""COCO box metrics in the order of the COCO evaluation: fractions, -1 without persons. AR is at 100 boxes per image."""


@dataclass(frozen=True)
class BoxMetrics:
    """Metrics of person boxes on one annotation file."""

    statistics: dict[str, float]
    """`STATISTICS` by name."""
    persons: int
    """Number of evaluated persons: all except crowds, with or without keypoints."""


class BoxReport(Settings):
    """The content of a box metrics file."""

    dataset: Name
    split: Name
    boxes: Name
    boxes_kind: BoxKind
    box_count: NonNegativeInt
    metrics: dict[str, float]
    images: NonNegativeInt
    persons: NonNegativeInt
    boxes_sha256: str
    annotations_sha256: str


def evaluate_person_boxes(annotations: CocoAnnotations, boxes: PersonBoxes) -> BoxMetrics:
    """Evaluate boxes with pycocotools: IoU 0.50:0.95, at most 100 boxes per image, crowds ignored.

    Raises:
        InputError: a box is in an image that the annotations do not contain.
    """
    unknown = np.flatnonzero(annotations.images.find(boxes.image_ids) < 0)
    if len(unknown):
        problem = f"box {unknown[0]} is in image {boxes.image_ids[unknown[0]]}, which is not in this file"
        raise InputError(problem, file=annotations.source, field="images")
    truth = annotations.numbered().to_coco()
    found = truth | {"annotations": list(_records(boxes))}
    with contextlib.redirect_stdout(io.StringIO()):
        evaluator = pycocoeval.COCOeval(_indexed(truth), _indexed(found), "bbox")
        evaluator.params.catIds = [PERSON_CATEGORY]
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    statistics: dict[str, float] = dict(zip(STATISTICS, map(float, evaluator.stats), strict=True))
    return BoxMetrics(statistics, int((~annotations.persons.is_crowd).sum()))


def write_box_metrics(layout: ResultsLayout, setting: EvalSetting, annotations: Path) -> BoxReport:
    """Evaluate the person boxes of a setting; write and return a `BoxReport`.

    Raises:
        InputError: a file is missing or wrong, or the data set has no such box source.
    """
    dataset, boxes = read_dataset(layout, setting), layout.boxes(setting)
    truth, found = load_annotations(annotations, dataset.skeleton), read_boxes(boxes)
    metrics = evaluate_person_boxes(truth, found)
    values = {
        **setting._asdict(),
        "boxes_kind": dataset.boxes[setting.boxes].kind,
        "box_count": len(found),
        "metrics": metrics.statistics,
        "images": len(truth.images),
        "persons": metrics.persons,
        "boxes_sha256": sha256_of_file(boxes),
        "annotations_sha256": sha256_of_file(annotations),
    }
    report = parse(BoxReport, values, boxes)
    write_json(layout.box_metrics(setting), report.model_dump(mode="json"))
    return report


def _records(boxes: PersonBoxes) -> Iterator[dict[str, Any]]:
    """Yield the boxes as detections with ids from 1."""
    columns = (boxes.image_ids.tolist(), boxes.boxes_xywh.tolist(), boxes.scores.tolist())
    for number, (image_id, box, score) in enumerate(zip(*columns, strict=True), start=1):
        record = {"id": number, "image_id": image_id, "category_id": PERSON_CATEGORY, "bbox": box, "score": score}
        yield record | {"area": box[2] * box[3], "iscrowd": 0}


def _indexed(dataset: dict[str, Any]) -> Any:
    coco: Any = pycoco.COCO()
    coco.dataset = dataset
    coco.createIndex()
    return coco
