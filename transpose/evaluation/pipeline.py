"""From a network and boxes to kept persons: crops, heatmaps, keypoints, rescoring and suppression in one call."""

from pathlib import Path

from torch import nn

from transpose.compute import Compute, choose_compute
from transpose.config.recipe import Recipe
from transpose.config.study import Protocol
from transpose.config.training import Precision
from transpose.data.boxes import PersonBoxes, read_boxes
from transpose.data.coco import CocoAnnotations, load_annotations
from transpose.data.loader import EvaluationCrops
from transpose.data.pictures import pictures_beside
from transpose.evaluation.predict import finish_predictions, finite_heatmaps_of, predict_keypoints
from transpose.evaluation.results import PoseResults, write_results
from transpose.models.inference_form import inference_form
from transpose.models.transpose import TransPose
from transpose.models.variants import build_model
from transpose.models.weights import load_weights
from transpose.skeleton import Skeleton


def predict_persons(
    model: nn.Module,
    boxes: PersonBoxes,
    annotations: CocoAnnotations,
    input_size: tuple[int, int],
    skeleton: Skeleton,
    protocol: Protocol,
    compute: Compute,
    suppress: bool = True,
    workers: int = 0,
) -> PoseResults:
    """Predict the persons in boxes by the whole protocol (paper, section 4.2).

    Args:
        workers: processes that make crops ahead.
        suppress: see `finish_predictions`.

    Raises:
        InputError: a picture is missing or broken, or a box lies in an unknown picture.
        FloatingPointError: a heatmap is not finite; see `finite_heatmaps_of`.
    """
    crops = EvaluationCrops(boxes, annotations, pictures_beside(annotations.source), input_size)
    batches = crops.batches(protocol.batch_size, workers, compute.pins_memory)
    predictions = predict_keypoints(model, batches, skeleton, protocol, compute)
    return finish_predictions(predictions, boxes, protocol, skeleton, suppress)


def load_model(
    recipe: Recipe,
    weights: Path,
    skeleton: Skeleton,
    protocol: Protocol,
    precision: Precision | None = None,
) -> tuple[TransPose, Compute]:
    """A trained variant in the form for inference, on the device that its recipe asks for.

    Args:
        precision: None takes the protocol's, or else the training's.

    Raises:
        InputError: the weights are missing or do not fit.
    """
    training = recipe.training
    chosen = precision or protocol.precision or training.precision
    compute = choose_compute(training.device, chosen, protocol.threads, protocol.compile)
    model = build_model(recipe.variant, len(skeleton))
    load_weights(model, weights)
    return inference_form(model, compute), compute


def load_to_explain(recipe: Recipe, weights: Path, skeleton: Skeleton, protocol: Protocol) -> tuple[TransPose, Compute]:
    """As `load_model`, but in fp32 and not compiled: explanations take the network apart.

    Raises:
        InputError: as `load_model`.
    """
    plain = protocol.model_copy(update={"precision": "fp32", "compile": False})
    return load_model(recipe, weights, skeleton, plain)


def predict_file(
    recipe: Recipe,
    weights: Path,
    skeleton: Skeleton,
    annotations: Path,
    boxes: Path,
    protocol: Protocol,
    output: Path,
    suppress: bool = True,
) -> None:
    """Load a variant's weights, predict the persons in a file of boxes and write COCO results.

    Args:
        suppress: see `finish_predictions`.

    Raises:
        InputError: weights, boxes, annotations or a picture are missing or wrong, or the weights are of a model that
            has diverged.
    """
    model, compute = load_model(recipe, weights, skeleton, protocol)
    with finite_heatmaps_of(weights):
        results = predict_persons(
            model,
            read_boxes(boxes),
            load_annotations(annotations, skeleton),
            recipe.variant.input_size,
            skeleton,
            protocol,
            compute,
            suppress,
            recipe.training.workers,
        )
    write_results(results, output)
