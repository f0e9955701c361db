"""Build the attention viewer of trained models."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from transpose.attention.maps.dependency import encoder_of
from transpose.attention.maps.stored import PersonAreas, pack_within
from transpose.attention.persons import crop_truth
from transpose.config.dataset import Dataset
from transpose.config.load import read_record
from transpose.config.study import AttentionMapSettings, EvalProtocol
from transpose.data.boxes import PersonBoxes
from transpose.data.coco import CocoAnnotations, load_annotations
from transpose.data.image_source import image_source_of
from transpose.data.loader import EvaluationCrops
from transpose.errors import InputError
from transpose.files import sha256_of_file
from transpose.pose_model import CropKeypoints, PoseModel
from transpose.reporting.attention_maps import boxed_persons, choose_persons, load_for_attention_maps
from transpose.reporting.viewer import PageCrops, PageModel, PagePerson, ViewerPage, write_page
from transpose.study.layout import RecordKind, ResultsLayout, RunId

LARGEST_MODEL = 7_180_000
"""Bytes of one model's packed areas: a page with one model stays under 10 MB, including crops, Base64 and script."""

LARGEST_AREAS = 30_000_000
"""Bytes of the packed areas of all models on a page."""


def write_viewer(layout: ResultsLayout, runs: Sequence[RunId], name: str, split: str, annotations: Path) -> None:
    """Write the viewer of trained models on the persons that `choose_persons` selects.

    Args:
        name: name of the data set.

    Raises:
        InputError: a file is missing or wrong, no person is annotated, a variant has no encoder, or a model has
            diverged.
    """
    output = layout.viewer(name, split)
    if not runs:
        raise InputError("no trained model; select a variant with an encoder", file=output, field="run")
    dataset = read_record(Dataset, layout.record(RecordKind.DATASET, name))
    protocol = read_record(EvalProtocol, layout.record(RecordKind.PROTOCOL))
    settings = read_record(AttentionMapSettings, layout.record(RecordKind.ATTENTION_MAPS))
    truth = load_annotations(annotations, dataset.skeleton)
    boxes = choose_persons(truth, settings.persons)
    crops: dict[tuple[int, int], PageCrops] = {}
    models = []
    for run in runs:
        model = load_for_attention_maps(layout.train(run), dataset.skeleton, protocol)
        size = model.variant.input_size
        if size not in crops:
            crops[size] = annotated_crops(truth, boxes, model)
        found = model.find_keypoints(torch.from_numpy(crops[size].crops))
        models.append(page_model(model, crops[size], found, byte_limit(len(runs))))
    persons = [
        PagePerson(name, annotation_id, tuple(box)) for _, name, annotation_id, box in boxed_persons(boxes, truth)
    ]
    flipped = "with" if protocol.flip_test else "without"
    about = f"Annotated persons in annotated boxes; keypoints are predicted {flipped} the flip test."
    title = f"Attention: {dataset.title}, {split}"
    write_page(ViewerPage(title, about, dataset.skeleton, persons, crops, models), output)


def annotated_crops(annotations: CocoAnnotations, boxes: PersonBoxes, model: PoseModel) -> PageCrops:
    """Return the crops of annotated boxes at a model's input size, with the annotated keypoints.

    Raises:
        InputError: an image is missing or broken.
    """
    truth = crop_truth(annotations, model.variant)
    order = np.argsort(truth.annotation_ids)
    truth = truth.select(order[np.searchsorted(truth.annotation_ids[order], boxes.annotation_ids)])
    crops = EvaluationCrops(boxes, annotations, image_source_of(annotations.source), model.variant.input_size)
    images = crops.batch(np.arange(len(boxes))).crops.numpy()
    return PageCrops(images, truth.affines, truth.keypoints_xy, truth.visibility)


def page_model(model: PoseModel, crops: PageCrops, found: CropKeypoints, limit: int) -> PageModel:
    """Return a model's areas of all persons, packed into `limit` bytes if possible."""
    areas = [
        model.cell_areas(torch.from_numpy(crop), points)
        for crop, points in zip(crops.crops, found.points_xy, strict=True)
    ]
    storage, packed = pack_within(areas, model.grid, limit)
    strong, largest = _strengths(areas)
    return PageModel(
        name=model.recipe.name,
        title=model.variant.title,
        weights_sha256=sha256_of_file(model.weights),
        encoder=encoder_of(model.variant),
        grid=model.grid,
        points_xy=found.points_xy,
        scores=found.scores,
        storage=storage,
        areas=packed,
        strong=strong,
        largest=largest,
    )


def byte_limit(models: int) -> int:
    """Return the bytes of packed areas per model, for a number of models on a page."""
    return min(LARGEST_MODEL, LARGEST_AREAS // models)


def _strengths(areas: Sequence[PersonAreas]) -> tuple[float, float]:
    """Return the 99.5th percentile of the keypoints' values above uniform, and the largest value of all."""
    means = np.concatenate([kept[:, 0].ravel() for one in areas for kept in (one.rows, one.columns)])
    above = means[means > 1]
    strong = float(np.percentile(above, 99.5)) if len(above) else 1.0
    return strong, max(float(kept.max()) for one in areas for kept in (one.rows, one.columns, one.cells))
