"""Write types of errors, calibration and the error browser of a study's trained models."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from transpose.config.study import EvalSetting
from transpose.data.boxes import ground_truth_boxes
from transpose.data.image_source import image_source_of
from transpose.data.images import ImageFiles
from transpose.errors import InputError
from transpose.evaluation.analysis_input import AnalysisInput
from transpose.evaluation.error_types.assignment import oks_of_persons
from transpose.evaluation.error_types.cases import Case, choose_cases
from transpose.evaluation.error_types.report import diagnose
from transpose.evaluation.model_errors import split_errors
from transpose.evaluation.results import read_results_on
from transpose.files import write_json
from transpose.geometry import transform_points
from transpose.pose_model import PoseModel
from transpose.reporting.attention_maps import load_for_attention_maps
from transpose.reporting.error_browser import BrowsedModel, BrowserPage, CaseAttention, write_browser
from transpose.reporting.error_browser_cases import case_images
from transpose.reporting.figure_style import save_with_svg
from transpose.reporting.labels import setting_words
from transpose.reporting.reliability_figure import reliability_figure
from transpose.reporting.viewer_models import annotated_crops
from transpose.study.layout import ResultsLayout, RunId

CASES = 20
"""Persons or predictions of each class, for each model."""

_ATTENTION_BYTES = 2_000_000
"""Areas of all models before compression, one byte a cell: the persons with the smallest OKS come first."""


def write_study_errors(layout: ResultsLayout, runs: Sequence[RunId], setting: EvalSetting, annotations: Path) -> None:
    """Write errors and calibration of trained models on a split, and the error browser.

    The browser has a folder of images, which may be empty. The reliability diagrams are a figure of the study.
    Attention is of models with an encoder, in annotated boxes only: those of other sources are not stored with the
    predictions.

    Raises:
        InputError: a file is missing or wrong, or a model has diverged.
    """
    output, images = layout.error_browser(setting.dataset, setting.split), layout.error_images(*setting[:2])
    if not runs:
        raise InputError("no trained model", file=output, field="run")
    inputs = [AnalysisInput(layout, run, setting, annotations, __name__) for run in runs]
    truth, skeleton = inputs[0].annotations, inputs[0].skeleton
    models = [diagnose(truth, read_results_on(one.predictions_file, truth, skeleton), skeleton) for one in inputs]
    errors = split_errors(inputs, models)
    cases = choose_cases(models, CASES)
    browsed = [BrowsedModel(one.trained.title, model) for one, model in zip(inputs, models, strict=True)]
    if inputs[0].dataset.boxes[setting.boxes].kind == "ground_truth":
        browsed = _with_attention(inputs, browsed, cases)
    files = ImageFiles(image_source_of(annotations), truth.images)
    title = f"Errors: {setting_words(inputs[0].dataset.title, setting.split, setting.boxes)}"
    write_browser(BrowserPage(title, browsed, cases, case_images(models, cases, files.read)), output, images)
    images.mkdir(exist_ok=True)
    write_json(layout.model_errors(*setting[:2]), errors.model_dump(mode="json"))
    figure = reliability_figure({one.title: one.calibration for one in errors.models})
    save_with_svg(figure, layout.figure("reliability", *setting[:2]))


def _with_attention(
    inputs: Sequence[AnalysisInput], browsed: Sequence[BrowsedModel], cases: Sequence[Case]
) -> list[BrowsedModel]:
    """Return the models with the attention of as many cases as `_ATTENTION_BYTES` allows."""
    with_encoder = [number for number, one in enumerate(inputs) if one.recipe.variant.encoder is not None]
    loaded = {
        number: load_for_attention_maps(inputs[number].run_folder, inputs[number].skeleton, inputs[number].protocol)
        for number in with_encoder
    }
    size = sum(model.grid.tokens for model in loaded.values()) * len(browsed[0].diagnosed.skeleton)
    chosen = _worst_persons(browsed, cases)[: _ATTENTION_BYTES // max(size, 1)]
    found = list(browsed)
    for number, model in loaded.items():
        attention = dict(_attention(model, browsed[number], number, cases, chosen))
        found[number] = BrowsedModel(browsed[number].title, browsed[number].diagnosed, attention)
    return found


def _worst_persons(browsed: Sequence[BrowsedModel], cases: Sequence[Case]) -> list[int]:
    """Return the cases of persons, those with the smallest OKS of any model first."""
    oks = [oks_of_persons(model.diagnosed.assignment) for model in browsed]
    persons = [index for index, case in enumerate(cases) if case.person is not None]
    return sorted(persons, key=lambda index: min(values[cases[index].person] for values in oks))


def _attention(
    model: PoseModel, browsed: BrowsedModel, number: int, cases: Sequence[Case], chosen: Sequence[int]
) -> Iterator[tuple[int, CaseAttention]]:
    """Yield the attention of a model in the cases `chosen`, where all its keypoints are in the person's crop.

    Args:
        number: of the model.
    """
    truth, results = browsed.diagnosed.annotations, browsed.diagnosed.results
    all_boxes, ids = ground_truth_boxes(truth), truth.persons.annotation_ids
    in_boxes = {annotation: position for position, annotation in enumerate(all_boxes.annotation_ids.tolist())}
    shown = [
        (index, cases[index].rows[number], in_boxes[ids[cases[index].person]])
        for index in chosen
        if cases[index].rows[number] is not None and ids[cases[index].person] in in_boxes
    ]
    if not shown:
        return
    crops = annotated_crops(truth, all_boxes.select(np.array([position for _, _, position in shown])), model)
    limits = np.array(model.grid.input_size[::-1]) - 0.5
    for (index, row, _), crop, affine in zip(shown, crops.crops, crops.affines, strict=True):
        points = transform_points(affine, results.keypoints[row, :, :2])
        if ((points >= -0.5) & (points <= limits)).all():
            areas = model.cell_areas(torch.from_numpy(crop), points).rows[-1, 0]
            scale, shift = affine[0, 0], affine[:, 2]
            x, y = ((model.grid.centres()[0] - shift) / scale).tolist()
            yield index, CaseAttention(areas, model.grid.size, (x, y), model.grid.cell_side / scale)
