"""The attention ablation file of one trained model: AP after each change at test time, and the difference it makes."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
from pydantic import NonNegativeInt
from torch import Tensor

from transpose.attention.ablation import Change, ablations, mean_attention_of
from transpose.attention.dependency import encoder_of
from transpose.attention.estimates import Estimate
from transpose.compute import Compute
from transpose.config.attention import AttentionMeasures
from transpose.config.base import Settings, parse
from transpose.config.dataset import Dataset
from transpose.config.recipe import Recipe
from transpose.config.study import Protocol
from transpose.data.boxes import PersonBoxes, read_boxes
from transpose.data.coco import load_annotations
from transpose.data.crops import normalise
from transpose.data.loader import EvaluationBatch, EvaluationCrops
from transpose.data.pictures import pictures_beside
from transpose.errors import InputError
from transpose.evaluation.bootstrap import paired_difference
from transpose.evaluation.oks import KeypointMetrics, evaluate_keypoints
from transpose.evaluation.pipeline import load_model
from transpose.evaluation.predict import (
    PredictionCollector,
    finish_predictions,
    finite_heatmaps_of,
    finite_on_cpu,
)
from transpose.evaluation.report import Bootstrap, Subject, weights_beside
from transpose.evaluation.results import PoseResults
from transpose.files import write_json
from transpose.inference.flip import mean_with_mirrored
from transpose.models.transpose import TransPose
from transpose.skeleton import Skeleton


class AblationResult(Settings):
    """A change and what it does."""

    change: Change
    predictions: NonNegativeInt
    """Persons that were left of the boxes."""
    metrics: dict[str, float]
    """The COCO evaluation's figures as fractions, -1 where it has no answer."""
    difference: Estimate | None
    """AP minus that of the intact model, over annotated persons; None for the intact model itself."""


class AttentionAblationReport(Subject):
    """The content of an attention ablation file."""

    protocol: Protocol
    bootstrap: Bootstrap
    seed_of_shuffling: NonNegativeInt
    images: NonNegativeInt
    persons: NonNegativeInt
    layers: NonNegativeInt
    heads: NonNegativeInt
    """Of each layer."""
    results: tuple[AblationResult, ...]
    """The intact model first."""


def predict_ablations(
    model: TransPose,
    crops: EvaluationCrops,
    boxes: PersonBoxes,
    skeleton: Skeleton,
    protocol: Protocol,
    compute: Compute,
    seed: int,
) -> Iterator[tuple[Change, PoseResults]]:
    """Each of `ablations` with the persons that the changed model predicts by the whole protocol, flip test included.

    The backbone sees each crop, and with the flip test its mirror image, twice: once to find the mean attention, over
    all that the model is shown, and once for all changes together. Heatmaps live as long as their batch.

    Args:
        crops: of all boxes.

    Raises:
        InputError: a picture is missing or broken.
        FloatingPointError: a heatmap is not finite.
    """
    passes = partial(_features, model, crops, protocol, compute)
    with compute.autocast():
        mean_attention = mean_attention_of(model, (view for _, views in passes() for view in views))
    encoders = ablations(model, mean_attention, seed)
    decoded = {change: PredictionCollector(skeleton, protocol) for change in encoders}
    for batch, views in passes():
        for change, encode in encoders.items():
            with torch.inference_mode(), compute.autocast():
                plain, *mirrored = [model.predict_heatmaps(encode(view)) for view in views]
                heatmaps = mean_with_mirrored(plain, mirrored[0], skeleton) if mirrored else plain
            decoded[change].add(batch, finite_on_cpu(heatmaps).numpy())
    for change, collector in decoded.items():
        yield change, finish_predictions(collector.predictions(), boxes, protocol, skeleton)


def write_attention_ablation(
    recipe: Recipe,
    run: Path,
    dataset: Dataset,
    annotations: Path,
    boxes: Path,
    protocol: Protocol,
    settings: AttentionMeasures,
    bootstrap: Bootstrap,
    output: Path,
) -> None:
    """Evaluate a trained variant after each change at test time and write an `AttentionAblationReport`.

    Args:
        run: run.json of the training, its weights.safetensors beside it.
        output: at .../DATASET/SPLIT/BOXES.json; the last three parts name what is evaluated.

    Raises:
        InputError: a file is missing or wrong, there is no box, the variant has no encoder, or the weights are of a
            model that has diverged.
    """
    encoder = encoder_of(recipe.variant)
    subject = Subject.of_files(dataset, annotations, run, boxes, output)
    skeleton, weights, persons = dataset.skeleton, weights_beside(run), read_boxes(boxes)
    if not len(persons):
        raise InputError(boxes, None, None, "no box to predict a person in")
    known = load_annotations(annotations, skeleton)
    model, compute = load_model(recipe, weights, skeleton, protocol)
    crops = EvaluationCrops(persons, known, pictures_beside(annotations), recipe.variant.input_size)
    with finite_heatmaps_of(weights):
        found = predict_ablations(model, crops, persons, skeleton, protocol, compute, settings.seed)
        measured = [(change, evaluate_keypoints(known, results, skeleton)) for change, results in found]
    _, intact = measured[0]
    values = subject.model_dump() | {
        "protocol": protocol,
        "bootstrap": bootstrap,
        "seed_of_shuffling": settings.seed,
        "images": intact.images,
        "persons": intact.persons,
        "layers": encoder.layers,
        "heads": encoder.heads,
        "results": [
            AblationResult(
                change=change,
                predictions=metrics.predictions,
                metrics=metrics.statistics,
                difference=None if metrics is intact else difference_in_ap(metrics, intact, bootstrap),
            )
            for change, metrics in measured
        ],
    }
    write_json(output, parse(AttentionAblationReport, values, output).model_dump(mode="json"))


def difference_in_ap(changed: KeypointMetrics, intact: KeypointMetrics, bootstrap: Bootstrap) -> Estimate:
    """AP of a changed model minus that of the intact one, with equal resamples of pictures for both."""
    images = int((intact.matches.persons > 0).sum())
    if not images:
        return Estimate(value=None, low=None, high=None, count=0, images=0)
    value, low, high = paired_difference(
        changed.matches, intact.matches, bootstrap.samples, bootstrap.seed, bootstrap.level
    )
    return Estimate(value=value, low=low, high=high, count=intact.persons, images=images)


def _features(
    model: TransPose, crops: EvaluationCrops, protocol: Protocol, compute: Compute
) -> Iterator[tuple[EvaluationBatch, list[Tensor]]]:
    """Each batch with features [B, dim, h, w] of its crops and, with the flip test, of their mirror images."""
    for batch in crops.batches(protocol.batch_size):
        images = normalise(batch.crops.to(compute.device, non_blocking=True))
        views = [images, images.flip(-1)] if protocol.flip_test else [images]
        with torch.inference_mode(), compute.autocast():
            features = [model.features(view) for view in views]
        yield batch, features
