"""A results folder with the records and files that evaluations and analyses of a trained model read."""

from collections.abc import Mapping
from pathlib import Path

from tests.helpers.run_records import write_run
from transpose.config.base import Settings
from transpose.config.bootstrap import Bootstrap
from transpose.config.dataset import Dataset
from transpose.config.recipe import Recipe
from transpose.config.study import EvalProtocol, EvalSetting
from transpose.data.boxes import PersonBoxes, ground_truth_boxes, write_boxes
from transpose.data.coco import load_annotations
from transpose.evaluation.analysis_input import AnalysisInput
from transpose.files import write_json
from transpose.study.layout import RecordKind, ResultsLayout, RunId

SETTING = EvalSetting("tiny", "val", "ground_truth")
"""What the model is evaluated on."""

ENTRY = "transpose.evaluation.report"
"""Module whose code the reports of tests name."""


def write_inputs(
    folder: Path,
    recipe: Recipe,
    dataset: Dataset,
    annotations: Path,
    protocol: EvalProtocol,
    settings: Mapping[RecordKind, Settings] | None = None,
    bootstrap: Bootstrap | None = None,
    boxes: PersonBoxes | None = None,
    setting: EvalSetting = SETTING,
) -> AnalysisInput:
    """Write records, run.json and boxes into a results folder; the weights are the caller's.

    Args:
        settings: of analyses, by the kind of their record.
        boxes: the annotated ones by default.
    """
    inputs = AnalysisInput(ResultsLayout(folder), RunId(recipe.name, 0), setting, annotations, ENTRY)
    layout = inputs.layout
    records = {
        layout.record(RecordKind.DATASET, setting.dataset): dataset,
        layout.record(RecordKind.PROTOCOL): protocol,
        layout.record(RecordKind.BOOTSTRAP): bootstrap or Bootstrap(samples=20, seed=0),
        **{layout.record(kind): block for kind, block in (settings or {}).items()},
    }
    for path, record in records.items():
        write_json(path, record.model_dump(mode="json"))
    write_run(inputs.run_folder.record, recipe, skeleton=dataset.skeleton, protocol=protocol)
    if boxes is None:
        boxes = ground_truth_boxes(load_annotations(annotations, dataset.skeleton))
    write_boxes(boxes, inputs.boxes_file)
    return inputs
