"""What cheaper arithmetic changes in a trained network's predictions, beside fp32 on the same crops."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from transpose.compute import Compute, choose_compute, describe_machine
from transpose.config.base import parse
from transpose.config.dataset import Dataset
from transpose.config.precision import Precisions
from transpose.config.recipe import Recipe
from transpose.config.study import Protocol
from transpose.config.training import Precision
from transpose.data.boxes import read_boxes
from transpose.data.coco import load_annotations
from transpose.data.loader import EvaluationBatch, EvaluationCrops
from transpose.data.pictures import pictures_beside
from transpose.errors import InputError
from transpose.evaluation.bootstrap import paired_difference
from transpose.evaluation.oks import KeypointMetrics, evaluate_keypoints
from transpose.evaluation.pipeline import load_model
from transpose.evaluation.predict import (
    PredictionCollector,
    Predictions,
    finish_predictions,
    finite_heatmaps_of,
    predict_heatmaps,
)
from transpose.evaluation.report import Bootstrap, Subject, weights_beside
from transpose.evaluation.side_records import PrecisionReport, PrecisionResult
from transpose.files import write_json
from transpose.skeleton import Skeleton

FAR = 0.99
"""Share of keypoints that `PrecisionResult.far_shift` covers."""


@dataclass(frozen=True)
class Computed:
    """What one arithmetic makes of N boxes."""

    predictions: Predictions
    peaks: np.ndarray
    """[N, K] int64, in the order of the batches: the pixel of each heatmap's maximum, counted row by row."""


def predict_in_each(
    model: Callable[[Tensor], Tensor],
    batches: Iterable[EvaluationBatch],
    skeleton: Skeleton,
    protocol: Protocol,
    computes: Mapping[Precision, Compute],
) -> dict[Precision, Computed]:
    """Keypoints of all crops by the same weights in each arithmetic; crops are read once, heatmaps live a batch.

    Args:
        batches: crops of all boxes, each box once, in any order; at least one.

    Raises:
        FloatingPointError: a heatmap is not finite.
    """
    collectors: dict[Precision, PredictionCollector] = {
        precision: PredictionCollector(skeleton, protocol) for precision in computes
    }
    peaks: dict[Precision, list[np.ndarray]] = {precision: [] for precision in computes}
    for batch in batches:
        for precision, compute in computes.items():
            heatmaps = predict_heatmaps(model, batch.crops, skeleton, protocol, compute).numpy()
            collectors[precision].add(batch, heatmaps)
            peaks[precision].append(heatmaps.reshape(*heatmaps.shape[:2], -1).argmax(axis=2))
    return {
        precision: Computed(collector.predictions(), np.concatenate(peaks[precision]))
        for precision, collector in collectors.items()
    }


def write_precisions(
    recipe: Recipe,
    run: Path,
    dataset: Dataset,
    annotations: Path,
    boxes: Path,
    protocol: Protocol,
    settings: Precisions,
    bootstrap: Bootstrap,
    output: Path,
) -> None:
    """Predict with a trained variant in fp32 and in each of `settings`, compare, and write a `PrecisionReport`.

    The baseline is fp32 whatever the recipe trains in.

    Args:
        run: run.json of the training, its weights.safetensors beside it.
        output: at .../DATASET/SPLIT/BOXES.json; the last three parts name what is evaluated.

    Raises:
        InputError: a file is missing or wrong, there is no box, the device lacks an arithmetic, or heatmaps are not
            finite.
    """
    subject = Subject.of_files(dataset, annotations, run, boxes, output)
    skeleton, weights, persons = dataset.skeleton, weights_beside(run), read_boxes(boxes)
    if not len(persons):
        raise InputError(boxes, None, None, "no box to predict a person in")
    model, exact = load_model(recipe, weights, skeleton, protocol, precision="fp32")
    others: dict[Precision, Compute] = {
        precision: choose_compute(recipe.training.device, precision, protocol.threads, protocol.compile)
        for precision in settings.precisions
    }
    known = load_annotations(annotations, skeleton)
    crops = EvaluationCrops(persons, known, pictures_beside(annotations), recipe.variant.input_size)
    batches = crops.batches(protocol.batch_size, recipe.training.workers, exact.pins_memory)
    with finite_heatmaps_of(weights):
        computed = predict_in_each(model, batches, skeleton, protocol, {"fp32": exact, **others})
    measured = {
        precision: evaluate_keypoints(known, finish_predictions(one.predictions, persons, protocol, skeleton), skeleton)
        for precision, one in computed.items()
    }
    baseline = measured["fp32"]
    values = subject.model_dump() | {
        "protocol": protocol,
        "bootstrap": bootstrap,
        "machine": describe_machine(exact.device),
        "images": baseline.images,
        "persons": baseline.persons,
        "fp32": baseline.statistics,
        "results": [
            _result(precision, computed[precision], computed["fp32"], measured[precision], baseline, bootstrap)
            for precision in others
        ],
    }
    write_json(output, parse(PrecisionReport, values, output).model_dump(mode="json"))


def _result(
    precision: Precision,
    computed: Computed,
    exact: Computed,
    metrics: KeypointMetrics,
    baseline: KeypointMetrics,
    bootstrap: Bootstrap,
) -> PrecisionResult:
    shifts = np.linalg.norm(computed.predictions.keypoints_xy - exact.predictions.keypoints_xy, axis=2)
    difference, low, high = paired_difference(
        metrics.matches, baseline.matches, bootstrap.samples, bootstrap.seed, bootstrap.level
    )
    return PrecisionResult(
        precision=precision,
        predictions=metrics.predictions,
        metrics=metrics.statistics,
        difference=difference,
        interval=(low, high),
        same_peak=float((computed.peaks == exact.peaks).mean()),
        median_shift=float(np.median(shifts)),
        far_shift=float(np.quantile(shifts, FAR)),
    )
