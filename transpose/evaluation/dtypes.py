"""Comparison of predictions in tf32, bf16 or fp16 with fp32, for one trained model on the same crops."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from transpose.config.analyses import Dtypes
from transpose.config.bootstrap import Bootstrap
from transpose.config.study import Analysis
from transpose.config.training import Dtype
from transpose.data.image_source import image_source_of
from transpose.data.loader import EvaluationBatch, EvaluationCrops
from transpose.device import describe_machine
from transpose.errors import InputError
from transpose.evaluation.analysis_input import AnalysisInput, write_report
from transpose.evaluation.analysis_records import DtypeReport, DtypeResult
from transpose.evaluation.bootstrap import paired_difference
from transpose.evaluation.intervals import estimate_of
from transpose.evaluation.oks import KeypointMetrics, evaluate_keypoints
from transpose.inference.predictions import PredictionCollector, Predictions, finish_predictions
from transpose.pose_model import PoseModel
from transpose.study.layout import RecordKind

FAR = 0.99
"""Share of keypoints that `DtypeResult.far_shift` covers."""


@dataclass(frozen=True)
class Computed:
    """Predictions for N boxes in one dtype."""

    predictions: Predictions
    peaks: np.ndarray
    """[N, K] int64, in the order of the batches: pixel of each heatmap's maximum, y * width + x."""


def predict_in_each(models: Mapping[Dtype, PoseModel], batches: Iterable[EvaluationBatch]) -> dict[Dtype, Computed]:
    """Predict keypoints of all crops in each dtype; crops are read once, heatmaps are kept for one batch only.

    Args:
        models: the model in each dtype.
        batches: crops of all boxes, each box once, in any order; at least one batch.

    Raises:
        InputError: a heatmap is not finite.
    """
    collectors: dict[Dtype, PredictionCollector] = {
        dtype: PredictionCollector(model.skeleton, model.protocol) for dtype, model in models.items()
    }
    peaks: dict[Dtype, list[np.ndarray]] = {dtype: [] for dtype in models}
    for batch in batches:
        for dtype, model in models.items():
            heatmaps = model.predict_heatmaps(batch.crops).numpy()
            collectors[dtype].add(batch, heatmaps)
            peaks[dtype].append(heatmaps.reshape(*heatmaps.shape[:2], -1).argmax(axis=2))
    return {
        dtype: Computed(collector.predictions(), np.concatenate(peaks[dtype]))
        for dtype, collector in collectors.items()
    }


def write_dtypes(inputs: AnalysisInput) -> None:
    """Predict with a trained model in fp32 and in each dtype of the study, and write a `DtypeReport`.

    The baseline is always fp32, also if the model was trained in another dtype.

    Raises:
        InputError: a file is missing or wrong, there are no boxes, the device does not support a dtype, or heatmaps
            are not finite.
    """
    recipe, protocol, skeleton, bootstrap = inputs.recipe, inputs.torch_protocol, inputs.skeleton, inputs.bootstrap
    persons, known = inputs.boxes, inputs.annotations
    if not len(persons):
        raise InputError("no person boxes to predict in", file=inputs.boxes_file)
    exact = PoseModel.from_weights(recipe, inputs.run_folder.weights, skeleton, protocol, dtype="fp32")
    others: dict[Dtype, PoseModel] = {
        dtype: _model_in(dtype, inputs) for dtype in inputs.settings(RecordKind.DTYPES, Dtypes).dtypes
    }
    crops = EvaluationCrops(persons, known, image_source_of(known.source), recipe.variant.input_size)
    computed = predict_in_each({"fp32": exact, **others}, exact.batches(crops))
    measured = {
        dtype: evaluate_keypoints(known, finish_predictions(one.predictions, persons, protocol, skeleton), skeleton)
        for dtype, one in computed.items()
    }
    baseline = measured["fp32"]
    values = {
        "protocol": protocol,
        "bootstrap": bootstrap,
        "machine": describe_machine(exact.context.device),
        "images": baseline.images,
        "persons": baseline.persons,
        "fp32": baseline.statistics,
        "results": [
            _result(dtype, computed[dtype], computed["fp32"], measured[dtype], baseline, bootstrap) for dtype in others
        ],
    }
    path = inputs.layout.analysis(Analysis.DTYPES, inputs.run, inputs.setting)
    write_report(path, DtypeReport, inputs, values, context=exact.context)


def _model_in(dtype: Dtype, inputs: AnalysisInput) -> PoseModel:
    weights, protocol = inputs.run_folder.weights, inputs.torch_protocol
    model = PoseModel.from_weights(inputs.recipe, weights, inputs.skeleton, protocol, dtype=dtype)
    if (used := model.context).dtype != dtype:
        raise InputError(f"is {used.dtype} on {used.device.type}", file="dtypes.dtypes", record=dtype)
    return model


def _result(
    dtype: Dtype,
    computed: Computed,
    exact: Computed,
    metrics: KeypointMetrics,
    baseline: KeypointMetrics,
    bootstrap: Bootstrap,
) -> DtypeResult:
    shifts = np.linalg.norm(computed.predictions.keypoints_xy - exact.predictions.keypoints_xy, axis=2)
    difference = paired_difference(metrics.matches, baseline.matches, bootstrap.samples, bootstrap.seed)
    return DtypeResult(
        dtype=dtype,
        predictions=metrics.predictions,
        metrics=metrics.statistics,
        difference=estimate_of(difference, baseline.persons, bootstrap.level),
        same_peak=float((computed.peaks == exact.peaks).mean()),
        median_shift=float(np.median(shifts)),
        far_shift=float(np.quantile(shifts, FAR)),
    )
