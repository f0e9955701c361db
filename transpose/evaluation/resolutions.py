"""Evaluation of a trained variant at other input sizes (paper, study of unseen input resolutions)."""

from dataclasses import replace

from transpose.config.analyses import InputSizes, PositionWay, check_sizes, position_ways
from transpose.config.study import EvalProtocol
from transpose.evaluation.analysis_input import AnalysisInput, write_report
from transpose.evaluation.analysis_records import ResolutionReport
from transpose.evaluation.report import report_values
from transpose.evaluation.results import write_results
from transpose.evaluation.trained_model import trained_model
from transpose.export.network import OtherSize
from transpose.export.runtime import in_chosen_runtime
from transpose.files import atomic_folder
from transpose.pose_model import PoseModel
from transpose.study.layout import RecordKind


def write_resolutions(inputs: AnalysisInput) -> None:
    """Predict and evaluate at each input size, with each distinct way of adapting the position embedding.

    The training size is skipped, because the ordinary evaluation covers it. DARK's kernel stays that of the protocol.
    Writes a `ResolutionReport` with its table and the predictions (COCO results) for each size and way.

    Raises:
        InputError: a size is not divisible by the backbone's stride, a file is missing or wrong, or training has
            diverged; the results folder is then unchanged.
    """
    variant, settings = inputs.recipe.variant, inputs.settings(RecordKind.RESOLUTIONS, InputSizes)
    check_sizes(inputs.recipe.name, variant, settings, "input sizes")
    with atomic_folder(inputs.layout.resolutions(inputs.run, inputs.setting)) as folder:
        for size in dict.fromkeys(settings.sizes):
            for way in position_ways(variant, size, settings.position):
                report = folder / inputs.layout.resolution(inputs.run, inputs.setting, size, way).name
                predictions = report.with_suffix(".predictions.json")
                model = _at_size(trained_model(inputs), size, way)
                write_results(model.predict_boxes(inputs.boxes, inputs.annotations, size), predictions)
                values, table = report_values(inputs, predictions, model.runtime.used)
                values |= {"input_size": size, "position": way}
                write_report(report, ResolutionReport, inputs, values, vars(table), model.context)


def batch_size_at(protocol: EvalProtocol, trained: tuple[int, int], size: tuple[int, int]) -> int:
    """Return the batch size that needs no more memory than the protocol's batch at the training size.

    It is never larger than the protocol's. Memory grows linearly with the pixels of a crop, because the fused attention
    stores no L x L matrix.
    """
    return min(protocol.batch_size, max(1, protocol.batch_size * trained[0] * trained[1] // (size[0] * size[1])))


def _at_size(model: PoseModel, size: tuple[int, int], way: PositionWay) -> PoseModel:
    """Return the model with position embedding, batch size and runtime for an input size."""
    if way == "recomputed":
        model.network.recompute_position(model.network.grid_size(size))
    batch_size = batch_size_at(model.protocol, model.variant.input_size, size)
    at_size = replace(model, protocol=model.protocol.model_copy(update={"batch_size": batch_size}))
    return in_chosen_runtime(at_size, OtherSize(size, recomputes_position=way == "recomputed"))
