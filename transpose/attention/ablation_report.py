"""The attention ablation file of one trained model: AP after each change at test time, and the difference it makes."""

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from transpose.attention.ablation import ablations, mean_attention_of
from transpose.attention.dependency import encoder_of
from transpose.attention.estimates import Estimate
from transpose.attention.examination import Examination, ModelOnTrial
from transpose.attention.records import AblationResult, AttentionAblationReport, Change
from transpose.config.base import parse
from transpose.data.boxes import PersonBoxes, read_boxes
from transpose.data.crops import normalise
from transpose.data.loader import EvaluationBatch, EvaluationCrops
from transpose.data.pictures import pictures_beside
from transpose.errors import InputError
from transpose.evaluation.bootstrap import paired_difference
from transpose.evaluation.oks import KeypointMetrics, evaluate_keypoints
from transpose.evaluation.predict import (
    PredictionCollector,
    finish_predictions,
    finite_heatmaps_of,
    finite_on_cpu,
)
from transpose.evaluation.report import Bootstrap
from transpose.evaluation.results import PoseResults
from transpose.files import write_json
from transpose.inference.flip import mean_with_mirrored


def predict_ablations(
    trial: ModelOnTrial, crops: EvaluationCrops, boxes: PersonBoxes, seed: int
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
    model, skeleton, protocol, compute = trial.model, trial.skeleton, trial.protocol, trial.compute
    passes = partial(_features, trial, crops)
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


def write_attention_ablation(examination: Examination) -> None:
    """Evaluate a trained variant after each change at test time and write an `AttentionAblationReport`.

    Raises:
        InputError: a file is missing or wrong, there is no box, the variant has no encoder, or the weights are of a
            model that has diverged.
    """
    subject, known, persons = examination.subject(), examination.truth(), read_boxes(examination.boxes)
    if not len(persons):
        raise InputError(examination.boxes, None, None, "no box to predict a person in")
    variant, trial = examination.recipe.variant, examination.model(as_evaluated=True)
    crops = EvaluationCrops(persons, known, pictures_beside(examination.annotations), variant.input_size)
    with finite_heatmaps_of(examination.weights):
        found = predict_ablations(trial, crops, persons, examination.settings.seed)
        measured = [(change, evaluate_keypoints(known, results, trial.skeleton)) for change, results in found]
    encoder, bootstrap, output = encoder_of(variant), examination.bootstrap, examination.output
    _, intact = measured[0]
    values = subject.model_dump() | {
        "protocol": trial.protocol,
        "bootstrap": bootstrap,
        "seed_of_shuffling": examination.settings.seed,
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


def _features(trial: ModelOnTrial, crops: EvaluationCrops) -> Iterator[tuple[EvaluationBatch, list[Tensor]]]:
    """Each batch with features [B, dim, h, w] of its crops and, with the flip test, of their mirror images."""
    for batch in crops.batches(trial.protocol.batch_size):
        images = normalise(batch.crops.to(trial.compute.device, non_blocking=True))
        views = [images, images.flip(-1)] if trial.protocol.flip_test else [images]
        with torch.inference_mode(), trial.compute.autocast():
            features = [trial.model.features(view) for view in views]
        yield batch, features
