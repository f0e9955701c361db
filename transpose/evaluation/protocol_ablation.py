"""What each choice of the evaluation protocol is worth: all combinations from one set of heatmaps."""

from collections.abc import Callable, Iterable, Iterator
from itertools import product
from pathlib import Path

from torch import Tensor

from transpose.compute import Compute
from transpose.config.base import parse
from transpose.config.dataset import Dataset
from transpose.config.recipe import Recipe
from transpose.config.study import Protocol
from transpose.data.boxes import PersonBoxes, read_boxes
from transpose.data.coco import load_annotations
from transpose.data.loader import EvaluationBatch, EvaluationCrops
from transpose.data.pictures import pictures_beside
from transpose.evaluation.oks import evaluate_keypoints
from transpose.evaluation.pipeline import load_model
from transpose.evaluation.predict import (
    PredictionCollector,
    finish_predictions,
    finite_heatmaps_of,
    predict_heatmaps_both_ways,
)
from transpose.evaluation.report import Subject, weights_beside
from transpose.evaluation.results import PoseResults
from transpose.evaluation.side_records import ProtocolAblationReport
from transpose.files import write_json
from transpose.skeleton import Skeleton

FLIPS = (True, False)
DECODERS = ("dark", "quarter", "argmax")
SCORES = ("box_times_keypoints", "keypoints", "box")
"""The choices of `Protocol`, the official one first."""


def combinations(protocol: Protocol) -> list[Protocol]:
    """All combinations of flip test, decoder, suppression and score; what else there is stays `protocol`'s."""
    on = protocol.nms_threshold if protocol.nms_threshold is not None else Protocol().nms_threshold
    return [
        protocol.model_copy(update={"flip_test": flip, "decoder": decoder, "nms_threshold": nms, "score": score})
        for flip, decoder, nms, score in product(FLIPS, DECODERS, (on, None), SCORES)
    ]


def predict_combinations(
    model: Callable[[Tensor], Tensor],
    batches: Iterable[EvaluationBatch],
    boxes: PersonBoxes,
    skeleton: Skeleton,
    protocol: Protocol,
    compute: Compute,
) -> Iterator[tuple[Protocol, PoseResults]]:
    """Each of `combinations` with the persons that `predict_persons` gives for it.

    The network sees each crop twice, as it is and mirrored. Heatmaps live as long as their batch, since those of a
    whole data set fit into no memory; what the six ways of decoding make of them does.

    Args:
        batches: crops of all boxes, each box once, in any order.

    Raises:
        FloatingPointError: a heatmap is not finite.
    """
    wanted = combinations(protocol)
    decoded = {_decoding(one): PredictionCollector(skeleton, one) for one in wanted}
    for batch in batches:
        plain, both = predict_heatmaps_both_ways(model, batch.crops, skeleton, protocol, compute)
        for (flip, _), collector in decoded.items():
            collector.add(batch, (both if flip else plain).numpy())
    predictions = {decoding: collector.predictions() for decoding, collector in decoded.items()}
    for one in wanted:
        yield one, finish_predictions(predictions[_decoding(one)], boxes, one, skeleton)


def write_protocol_ablation(
    recipe: Recipe, run: Path, dataset: Dataset, annotations: Path, boxes: Path, protocol: Protocol, output: Path
) -> None:
    """Evaluate a trained variant by every combination and write a `ProtocolAblationReport`.

    Args:
        run: run.json of the training, its weights.safetensors beside it.
        output: at .../DATASET/SPLIT/BOXES.json; the last three parts name what is evaluated.

    Raises:
        InputError: a file is missing or wrong, or the weights are of a model that has diverged.
    """
    subject = Subject.of_files(dataset, annotations, run, boxes, output)
    skeleton, weights, persons = dataset.skeleton, weights_beside(run), read_boxes(boxes)
    model, compute = load_model(recipe, weights, skeleton, protocol)
    known = load_annotations(annotations, skeleton)
    crops = EvaluationCrops(persons, known, pictures_beside(annotations), recipe.variant.input_size)
    batches = crops.batches(protocol.batch_size, recipe.training.workers, compute.pins_memory)
    results, images, counted = [], 0, 0
    with finite_heatmaps_of(weights):
        for one, found in predict_combinations(model, batches, persons, skeleton, protocol, compute):
            metrics = evaluate_keypoints(known, found, skeleton)
            images, counted = metrics.images, metrics.persons
            results.append(
                {
                    "protocol": one,
                    "official": not results,
                    "predictions": len(found),
                    "metrics": metrics.statistics,
                }
            )
    values = subject.model_dump() | {"images": images, "persons": counted, "results": results}
    write_json(output, parse(ProtocolAblationReport, values, output).model_dump(mode="json"))


def _decoding(protocol: Protocol) -> tuple[bool, str]:
    return protocol.flip_test, protocol.decoder
