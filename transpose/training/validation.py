"""Validation during training; the processes share the persons, each evaluated once."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from transpose.config.dataset import accuracy_of
from transpose.config.recipe import Recipe
from transpose.config.study import EvalProtocol
from transpose.data.boxes import PersonBoxes, ground_truth_boxes
from transpose.data.coco import CocoAnnotations, load_annotations
from transpose.data.image_source import image_source_of
from transpose.data.loader import EvaluationCrops
from transpose.data.workers import share
from transpose.device import DeviceContext
from transpose.errors import InputError
from transpose.evaluation.oks import evaluate_keypoints
from transpose.evaluation.pckh import evaluate_pckh
from transpose.inference.poses import PoseResults
from transpose.inference.predictions import Predictions, finish_predictions
from transpose.inference.runtime import torch_runtime
from transpose.models.optimize import optimize_for_inference
from transpose.models.transpose import TransPose
from transpose.pose_model import PoseModel
from transpose.training.data import TrainingData
from transpose.training.distributed import ProcessGroup
from transpose.training.interruption import StopRequest


def validator(
    recipe: Recipe,
    data: TrainingData,
    protocol: EvalProtocol,
    context: DeviceContext,
    folder: Path,
    group: ProcessGroup,
) -> Callable[[TransPose, StopRequest], dict[str, float]]:
    """Return a function that evaluates a model in evaluation mode on the annotated boxes, in every process.

    Each process predicts its share of the boxes, without repeating boxes to make shares equal, with the model optimised
    for inference as in evaluations. The main process evaluates all predictions, by OKS or PCKh.
    The function raises, in every process, InputError if an image is broken or the model has diverged, and Interrupted
    after a stop request to any process.

    Args:
        folder: run folder, for messages.

    Raises:
        InputError: the annotations are missing or wrong, or no person in them is labelled.
    """
    skeleton = data.skeleton
    annotations = load_annotations(data.validation, skeleton)
    boxes = ground_truth_boxes(annotations)
    # Sorted by image, so that few images are decoded by two processes.
    boxes = boxes.select(np.argsort(boxes.image_ids, kind="stable"))
    part = boxes.select(share(np.arange(len(boxes)), group.rank, group.size))
    crops = EvaluationCrops(part, annotations, image_source_of(data.validation), recipe.variant.input_size)

    # Each validation would compile its copy of the network.
    context = replace(context, compiled=False)

    def predict(network: TransPose, stop: StopRequest) -> Predictions:
        runtime = torch_runtime(context, attends=recipe.variant.encoder is not None)
        formed = optimize_for_inference(network, context)
        model = PoseModel(formed, recipe, skeleton, protocol, context, folder, runtime)
        return model.predict_keypoints(stop.heeded_between(model.batches(crops)))

    def evaluate(predictions: Predictions) -> dict[str, float]:
        results = finish_predictions(predictions, boxes, protocol, skeleton, suppress=data.evaluation == "oks")
        return _statistics(annotations, results, data)

    _require_labels(annotations, boxes, data)

    def validate(network: TransPose, stop: StopRequest) -> dict[str, float]:
        group.share_buffers(network)
        predictions = _joined(group.gather(group.raise_together(lambda: predict(network, stop))))
        statistics = group.raise_together(lambda: evaluate(predictions) if group.is_main else {})
        return group.gather(statistics)[0]

    return validate


def _statistics(annotations: CocoAnnotations, results: PoseResults, data: TrainingData) -> dict[str, float]:
    evaluate = evaluate_keypoints if data.evaluation == "oks" else evaluate_pckh
    return evaluate(annotations, results, data.skeleton).statistics


def _require_labels(annotations: CocoAnnotations, boxes: PersonBoxes, data: TrainingData) -> None:
    """Evaluate predictions of zeros before the training, because a validation may be hours away.

    Raises:
        InputError: the evaluation is impossible, or its main metric is undefined.
    """
    keypoints, scores = np.zeros((len(boxes), len(data.skeleton), 3)), np.zeros(len(boxes))
    zeros = PoseResults(boxes.image_ids, keypoints, scores, boxes.annotation_ids)
    metric = accuracy_of(data.evaluation)
    if _statistics(annotations, zeros, data)[metric] < 0:
        problem = f"no person has a labelled keypoint, so {metric} cannot choose the best weights"
        raise InputError(problem, file=data.validation)


def _joined(parts: list[Predictions]) -> Predictions:
    """Concatenate the predictions of all processes, in the order of the boxes."""
    return Predictions(
        keypoints_xy=np.concatenate([part.keypoints_xy for part in parts]),
        keypoint_scores=np.concatenate([part.keypoint_scores for part in parts]),
        areas=np.concatenate([part.areas for part in parts]),
    )
