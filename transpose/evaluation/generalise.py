"""A trained variant at input sizes that it was not trained at (paper, study of unseen input resolutions)."""

from pathlib import Path

from transpose.config.base import parse
from transpose.config.dataset import Dataset
from transpose.config.recipe import Recipe
from transpose.config.resolution import InputSizes, PositionWay, check_sizes, position_ways
from transpose.config.study import Protocol
from transpose.data.boxes import PersonBoxes, read_boxes
from transpose.data.coco import CocoAnnotations, load_annotations
from transpose.evaluation.pipeline import load_model, predict_persons
from transpose.evaluation.predict import finite_heatmaps_of
from transpose.evaluation.report import Bootstrap, Subject, report_values, weights_beside
from transpose.evaluation.results import PoseResults, write_results
from transpose.evaluation.side_records import ResolutionReport
from transpose.files import atomic_folder, write_json
from transpose.skeleton import Skeleton


def write_resolutions(
    recipe: Recipe,
    run: Path,
    dataset: Dataset,
    annotations: Path,
    boxes: Path,
    protocol: Protocol,
    settings: InputSizes,
    bootstrap: Bootstrap,
    output: Path,
) -> None:
    """Predict and evaluate at each size and by each way that differs from the others.

    The size trained at is passed over: its figures are the ordinary evaluation's. DARK's kernel stays the protocol's.

    Args:
        run: run.json of the training, its weights.safetensors beside it.
        output: folder .../DATASET/SPLIT/BOXES, whose last three parts name what is evaluated. It gets, for each size
            and way, HxW_WAY.json (a `ResolutionReport`) and HxW_WAY.predictions.json (COCO results).

    Raises:
        InputError: a size is not divisible by the backbone's stride, a file is missing or wrong, or the weights are of
            a model that has diverged; `output` is then as it was.
    """
    check_sizes(recipe.name, recipe.variant, settings, "input sizes")
    subject = Subject.of_files(dataset, annotations, run, boxes, output)
    persons, known = read_boxes(boxes), load_annotations(annotations, dataset.skeleton)
    with atomic_folder(output) as folder:
        for size in dict.fromkeys(settings.sizes):
            for way in position_ways(recipe.variant, size, settings.position):
                results = _predict(recipe, weights_beside(run), known, persons, dataset.skeleton, protocol, size, way)
                name = f"{size[0]}x{size[1]}_{way}"
                predictions = folder / f"{name}.predictions.json"
                write_results(results, predictions)
                values, _ = report_values(subject, dataset, annotations, protocol, predictions, bootstrap)
                report = parse(ResolutionReport, values | {"input_size": size, "position": way}, output)
                write_json(folder / f"{name}.json", report.model_dump(mode="json"))


def batch_size_at(protocol: Protocol, trained: tuple[int, int], size: tuple[int, int]) -> int:
    """Crops at a time: as many as need the memory of the protocol's at the size trained at, and never more than those.

    The features of a crop grow with its pixels; attention is fused and holds no map of all pairs of tokens.
    """
    return min(protocol.batch_size, max(1, protocol.batch_size * trained[0] * trained[1] // (size[0] * size[1])))


def _predict(
    recipe: Recipe,
    weights: Path,
    annotations: CocoAnnotations,
    boxes: PersonBoxes,
    skeleton: Skeleton,
    protocol: Protocol,
    size: tuple[int, int],
    way: PositionWay,
) -> PoseResults:
    model, compute = load_model(recipe, weights, skeleton, protocol)
    if way == "recomputed":
        model.recompute_position(model.grid_size(size))
    batches = protocol.model_copy(update={"batch_size": batch_size_at(protocol, recipe.variant.input_size, size)})
    with finite_heatmaps_of(weights):
        return predict_persons(
            model, boxes, annotations, size, skeleton, batches, compute, workers=recipe.training.workers
        )
