"""The attention ablation report of one trained model: AP after each test-time change, and the difference in AP."""

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from transpose.attention.ablation import ablations, encode_intact, mean_attention_of
from transpose.attention.inputs import attention_settings
from transpose.attention.maps.dependency import encoder_of
from transpose.attention.records import AblationResult, AttentionAblationReport, Change
from transpose.config.bootstrap import Bootstrap
from transpose.config.study import Analysis
from transpose.data.boxes import PersonBoxes
from transpose.data.image_source import image_source_of
from transpose.data.loader import EvaluationBatch, EvaluationCrops
from transpose.data.normalise import normalise
from transpose.errors import InputError
from transpose.evaluation.analysis_input import AnalysisInput, write_report
from transpose.evaluation.bootstrap import paired_difference
from transpose.evaluation.intervals import Estimate, estimate_of
from transpose.evaluation.oks import KeypointMetrics, evaluate_keypoints
from transpose.evaluation.trained_model import trained_model
from transpose.inference.finite import finite_on_cpu
from transpose.inference.flip import mean_with_mirrored
from transpose.inference.poses import PoseResults
from transpose.inference.predictions import (
    PredictionCollector,
    finish_predictions,
    finite_heatmaps_of,
)
from transpose.pose_model import PoseModel


def predict_ablations(
    model: PoseModel, crops: EvaluationCrops, boxes: PersonBoxes, seed: int
) -> Iterator[tuple[Change, PoseResults]]:
    """Yield each of `ablations` with the persons that the changed model predicts by the full protocol.

    The backbone runs twice on each crop (and its mirror image, with the flip test): once to compute the mean attention
    and once for all changes together. Heatmaps are kept for one batch only.

    Args:
        crops: crops of all boxes.

    Raises:
        InputError: an image is missing or broken.
        FloatingPointError: a heatmap is not finite.
    """
    network, skeleton, protocol = model.network, model.skeleton, model.protocol
    passes = partial(_features, model, crops)
    with model.context.autocast():
        mean_attention = mean_attention_of(network, (view for _, views in passes() for view in views))
    encoders = ablations(network, mean_attention, seed)
    decoded = {change: PredictionCollector(skeleton, protocol) for change in encoders}
    for batch, views in passes():
        with torch.inference_mode(), model.context.autocast():
            intact = [encode_intact(network, view) for view in views]
        for change, encode in encoders.items():
            with torch.inference_mode(), model.context.autocast():
                plain, *mirrored = [network.predict_heatmaps(encode(view)) for view in intact]
                heatmaps = mean_with_mirrored(plain, mirrored[0], skeleton) if mirrored else plain
            decoded[change].add(batch, finite_on_cpu(heatmaps).numpy())
    for change, collector in decoded.items():
        yield change, finish_predictions(collector.predictions(), boxes, protocol, skeleton)


def write_attention_ablation(inputs: AnalysisInput) -> None:
    """Evaluate a trained variant after each test-time change and write an `AttentionAblationReport`.

    Raises:
        InputError: a file is missing or wrong, there are no boxes, the variant has no encoder, or training has
            diverged.
    """
    settings, variant, bootstrap = attention_settings(inputs), inputs.recipe.variant, inputs.bootstrap
    known, persons, model = inputs.annotations, inputs.boxes, trained_model(inputs)
    if not len(persons):
        raise InputError("no person boxes to predict in", file=inputs.boxes_file)
    crops = EvaluationCrops(persons, known, image_source_of(known.source), variant.input_size)
    with finite_heatmaps_of(inputs.run_folder.weights):
        found = predict_ablations(model, crops, persons, settings.seed)
        measured = [(change, evaluate_keypoints(known, results, model.skeleton)) for change, results in found]
    encoder, (_, intact) = encoder_of(variant), measured[0]
    values = {
        "protocol": inputs.torch_protocol,
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
    path = inputs.layout.analysis(Analysis.ATTENTION_ABLATION, inputs.run, inputs.setting)
    write_report(path, AttentionAblationReport, inputs, values, context=model.context)


def difference_in_ap(changed: KeypointMetrics, intact: KeypointMetrics, bootstrap: Bootstrap) -> Estimate:
    """Return AP of a changed model minus AP of the intact one; both use the same bootstrap samples of images."""
    difference = paired_difference(changed.matches, intact.matches, bootstrap.samples, bootstrap.seed)
    return estimate_of(difference, intact.persons, bootstrap.level)


def _features(model: PoseModel, crops: EvaluationCrops) -> Iterator[tuple[EvaluationBatch, list[Tensor]]]:
    """Yield each batch with features [B, dim, h, w] of its crops and, with the flip test, of the mirrored crops."""
    for batch in crops.batches(model.protocol.batch_size):
        images = normalise(batch.crops.to(model.context.device, non_blocking=True))
        views = [images, images.flip(-1)] if model.protocol.flip_test else [images]
        with torch.inference_mode(), model.context.autocast():
            features = [model.network.features(view) for view in views]
        yield batch, features
