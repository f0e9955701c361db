"""Ablation of the evaluation protocol: all combinations of its choices, from one set of heatmaps."""

from collections.abc import Iterable, Iterator
from itertools import product

from transpose.config.study import Analysis, EvalProtocol
from transpose.data.boxes import PersonBoxes
from transpose.data.image_source import image_source_of
from transpose.data.loader import EvaluationBatch, EvaluationCrops
from transpose.evaluation.analysis_input import AnalysisInput, write_report
from transpose.evaluation.analysis_records import ProtocolAblationReport
from transpose.evaluation.oks import evaluate_keypoints
from transpose.evaluation.trained_model import trained_model
from transpose.export.runtime import in_chosen_runtime
from transpose.inference.poses import PoseResults
from transpose.inference.predictions import PredictionCollector, finish_predictions
from transpose.pose_model import PoseModel

FLIPS = (True, False)
DECODERS = ("dark", "quarter", "argmax")
SCORES = ("box_times_keypoints", "keypoints", "box")
"""The choices of `EvalProtocol`, the official one first."""


def combinations(protocol: EvalProtocol) -> list[EvalProtocol]:
    """Return all combinations of flip test, decoder, suppression and score; other settings are those of `protocol`."""
    on = protocol.nms_threshold if protocol.nms_threshold is not None else EvalProtocol().nms_threshold
    return [
        protocol.model_copy(update={"flip_test": flip, "decoder": decoder, "nms_threshold": nms, "score": score})
        for flip, decoder, nms, score in product(FLIPS, DECODERS, (on, None), SCORES)
    ]


def predict_combinations(
    model: PoseModel, batches: Iterable[EvaluationBatch], boxes: PersonBoxes
) -> Iterator[tuple[EvalProtocol, PoseResults]]:
    """Yield each of `combinations` with the same persons as `PoseModel.predict_boxes` returns for it.

    The network runs twice on each crop, original and mirrored. Heatmaps are decoded in six ways and kept for one batch
    only, because those of a whole data set do not fit into memory.

    Args:
        batches: crops of all boxes, each box once, in any order.

    Raises:
        InputError: training has diverged.
    """
    wanted = combinations(model.protocol)
    decoded = {_decoding(one): PredictionCollector(model.skeleton, one) for one in wanted}
    for batch in batches:
        plain, both = model.predict_heatmaps_both_ways(batch.crops)
        for (flip, _), collector in decoded.items():
            collector.add(batch, (both if flip else plain).numpy())
    predictions = {decoding: collector.predictions() for decoding, collector in decoded.items()}
    for one in wanted:
        yield one, finish_predictions(predictions[_decoding(one)], boxes, one, model.skeleton)


def write_protocol_ablation(inputs: AnalysisInput) -> None:
    """Evaluate a trained model with every combination and write a `ProtocolAblationReport`.

    Raises:
        InputError: a file is missing or wrong, or training has diverged.
    """
    model, persons, known = in_chosen_runtime(trained_model(inputs)), inputs.boxes, inputs.annotations
    crops = EvaluationCrops(persons, known, image_source_of(known.source), model.variant.input_size)
    results, images, counted = [], 0, 0
    for one, found in predict_combinations(model, model.batches(crops), persons):
        metrics = evaluate_keypoints(known, found, model.skeleton)
        images, counted = metrics.images, metrics.persons
        results.append(
            {
                "protocol": one,
                "official": not results,
                "predictions": len(found),
                "metrics": metrics.statistics,
            }
        )
    values = {"runtime": model.runtime.used, "images": images, "persons": counted, "results": results}
    path = inputs.layout.analysis(Analysis.PROTOCOLS, inputs.run, inputs.setting)
    write_report(path, ProtocolAblationReport, inputs, values, context=model.context)


def _decoding(protocol: EvalProtocol) -> tuple[bool, str]:
    return protocol.flip_test, protocol.decoder
