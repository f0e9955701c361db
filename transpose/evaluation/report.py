"""The metrics file of one set of predictions: what the table's numbers are traced back to."""

from pathlib import Path
from typing import Any

from transpose.config.dataset import Dataset
from transpose.errors import InputError
from transpose.evaluation.bootstrap import bootstrap_interval
from transpose.evaluation.matches import write_matches
from transpose.evaluation.oks import KeypointMetrics, evaluate_keypoints, largest_disagreement, second_opinion
from transpose.evaluation.results import PoseResults, read_results
from transpose.files import read_json, sha256_of_file, write_json

LARGEST_DISAGREEMENT = 1e-9
"""Two evaluators that differ by more do not compute the same thing."""


def write_metrics(
    dataset: Dataset,
    annotations: Path,
    run: Path,
    protocol: Path,
    predictions: Path,
    bootstrap: tuple[int, int],
    output: Path,
) -> None:
    """Evaluate predictions and write metrics beside their match table (`output` with suffix .npz).

    Args:
        run: run.json of the training that the predictions come from.
        predictions: COCO results at .../DATASET/SPLIT/BOXES.json; the last three parts name what was evaluated.
        bootstrap: (samples, seed) of the interval.

    Raises:
        InputError: a file is wrong, or the two evaluators disagree.
    """
    name, split, boxes = predictions.parts[-3], predictions.parts[-2], predictions.stem
    results = read_results(predictions, dataset.skeleton)
    metrics = evaluate_keypoints(annotations, results, dataset.skeleton)
    record = read_json(run)
    samples, seed = bootstrap
    write_matches(metrics.matches, output.with_suffix(".npz"))
    write_json(
        output,
        {
            **{key: record[key] for key in ("variant", "title", "seed", "initialisation")},
            "dataset": name,
            "dataset_title": dataset.title,
            "split": split,
            "boxes": boxes,
            "boxes_kind": dataset.boxes[boxes].kind,
            "metrics": metrics.statistics,
            "images": metrics.images,
            "persons": metrics.persons,
            "predictions": metrics.predictions,
            "joints": metrics.record()["joints"],
            "interval": bootstrap_interval(metrics.matches, samples, seed),
            "bootstrap": {"samples": samples, "seed": seed, "level": 0.95},
            "second_opinion": _second_opinion(metrics, annotations, results, dataset, predictions),
            "predictions_sha256": sha256_of_file(predictions),
            "annotations_sha256": sha256_of_file(annotations),
            "protocol": read_json(protocol),
        },
    )


def _second_opinion(
    metrics: KeypointMetrics, annotations: Path, results: PoseResults, dataset: Dataset, predictions: Path
) -> dict[str, Any]:
    other = second_opinion(annotations, results, dataset.skeleton)
    if other is None:
        return {"available": False, "largest_disagreement": None}
    difference = largest_disagreement(metrics.statistics, other)
    if difference > LARGEST_DISAGREEMENT:
        raise InputError(predictions, None, None, f"pycocotools and xtcocotools disagree by {difference:.3g}")
    return {"available": True, "largest_disagreement": difference}
