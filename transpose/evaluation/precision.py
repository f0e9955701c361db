"""What cheaper arithmetic changes in a trained network's predictions, beside fp32 on the same crops."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from transpose.config.bootstrap import Bootstrap
from transpose.config.precision import Precisions
from transpose.config.study import Analysis
from transpose.config.training import Precision
from transpose.data.image_source import image_source_of
from transpose.data.loader import EvaluationBatch, EvaluationCrops
from transpose.device import describe_machine, resolve_device
from transpose.errors import InputError
from transpose.evaluation.analysis_input import AnalysisInput, write_report
from transpose.evaluation.bootstrap import paired_difference
from transpose.evaluation.oks import KeypointMetrics, evaluate_keypoints
from transpose.evaluation.side_records import PrecisionReport, PrecisionResult
from transpose.inference.predictions import PredictionCollector, Predictions, finish_predictions
from transpose.pose_model import PoseModel
from transpose.study.layout import RecordKind

FAR = 0.99
"""Share of keypoints that `PrecisionResult.far_shift` covers."""


@dataclass(frozen=True)
class Computed:
    """What one arithmetic makes of N boxes."""

    predictions: Predictions
    peaks: np.ndarray
    """[N, K] int64, in the order of the batches: the pixel of each heatmap's maximum, counted row by row."""


def predict_in_each(
    models: Mapping[Precision, PoseModel], batches: Iterable[EvaluationBatch]
) -> dict[Precision, Computed]:
    """Keypoints of all crops by the same weights in each arithmetic; crops are read once, heatmaps live a batch.

    Args:
        models: the network in each arithmetic.
        batches: crops of all boxes, each box once, in any order; at least one.

    Raises:
        InputError: a heatmap is not finite.
    """
    collectors: dict[Precision, PredictionCollector] = {
        precision: PredictionCollector(model.skeleton, model.protocol) for precision, model in models.items()
    }
    peaks: dict[Precision, list[np.ndarray]] = {precision: [] for precision in models}
    for batch in batches:
        for precision, model in models.items():
            heatmaps = model.predict_heatmaps(batch.crops).numpy()
            collectors[precision].add(batch, heatmaps)
            peaks[precision].append(heatmaps.reshape(*heatmaps.shape[:2], -1).argmax(axis=2))
    return {
        precision: Computed(collector.predictions(), np.concatenate(peaks[precision]))
        for precision, collector in collectors.items()
    }


def write_precisions(inputs: AnalysisInput) -> None:
    """Predict with a trained model in fp32 and in each precision of the study, and write a `PrecisionReport`.

    The baseline is fp32 whatever the recipe trains in.

    Raises:
        InputError: a file is missing or wrong, there is no box, the device lacks an arithmetic, or heatmaps are not
            finite.
    """
    recipe, protocol, skeleton, bootstrap = inputs.recipe, inputs.protocol, inputs.skeleton, inputs.bootstrap
    persons, known = inputs.boxes, inputs.annotations
    if not len(persons):
        raise InputError(inputs.boxes_file, None, None, "no box to predict a person in")
    exact = PoseModel.from_weights(recipe, inputs.run_folder.weights, skeleton, protocol, precision="fp32")
    others: dict[Precision, PoseModel] = {
        precision: replace(
            exact, context=resolve_device(recipe.training.device, precision, protocol.threads, protocol.compile)
        )
        for precision in inputs.settings(RecordKind.PRECISIONS, Precisions).precisions
    }
    crops = EvaluationCrops(persons, known, image_source_of(known.source), recipe.variant.input_size)
    computed = predict_in_each({"fp32": exact, **others}, exact.batches(crops))
    measured = {
        precision: evaluate_keypoints(known, finish_predictions(one.predictions, persons, protocol, skeleton), skeleton)
        for precision, one in computed.items()
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
            _result(precision, computed[precision], computed["fp32"], measured[precision], baseline, bootstrap)
            for precision in others
        ],
    }
    path = inputs.layout.analysis(Analysis.PRECISION, inputs.run, inputs.setting)
    write_report(path, PrecisionReport, inputs, values)


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
