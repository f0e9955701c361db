"""The metrics file of one set of predictions: what the table's numbers are traced back to."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt

from transpose.config.base import Name, Settings, parse
from transpose.config.dataset import Accuracy, BoxKind, Dataset, accuracy_of
from transpose.config.load import read_record
from transpose.config.study import Protocol
from transpose.data.boxes import read_boxes
from transpose.data.coco import CocoAnnotations, load_annotations
from transpose.errors import InputError
from transpose.evaluation.bootstrap import bootstrap_interval
from transpose.evaluation.joint_hits import JointHits
from transpose.evaluation.joints import JointMetrics, joint_metrics
from transpose.evaluation.matches import MatchTable
from transpose.evaluation.oks import evaluate_keypoints, largest_disagreement, official_opinion, second_opinion
from transpose.evaluation.pckh import JointPckh, evaluate_pckh
from transpose.evaluation.place import place_of
from transpose.evaluation.results import PoseResults, read_results_on
from transpose.files import atomic_paths, sha256_of_file, write_json, write_npz
from transpose.skeleton import Skeleton

LARGEST_DISAGREEMENT = 1e-9
"""Two evaluators that differ by more do not compute the same thing."""


class TrainedRun(BaseModel):
    """What evaluations and tables need of a training's run.json, which holds much more."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    variant: Name
    title: str
    seed: NonNegativeInt
    initialisation: str
    code: dict[str, Any]


class Bootstrap(Settings):
    """How the interval is drawn."""

    samples: PositiveInt
    seed: NonNegativeInt
    level: float = 0.95


class SecondOpinion(Settings):
    """How far the figures are from those of the evaluators that judge ours: pycocotools, and xtcocotools if there."""

    available: bool
    """xtcocotools was there."""
    largest_disagreement: float


class Subject(Settings):
    """Which trained model was evaluated on what, with the digests that pin both."""

    variant: Name
    title: str
    seed: NonNegativeInt
    initialisation: str
    dataset: Name
    dataset_title: str
    split: Name
    boxes: Name
    boxes_kind: BoxKind
    box_count: NonNegativeInt
    """Boxes that the model was run on."""
    weights_sha256: str
    annotations_sha256: str
    boxes_sha256: str

    @classmethod
    def of_files(cls, dataset: Dataset, annotations: Path, run: Path, boxes: Path, place: Path) -> "Subject":
        """The subject that a training's `run`.json and a path `place` at .../DATASET/SPLIT/BOXES.json name.

        Raises:
            InputError: a file is missing or wrong, or `place` is none.
        """
        name, split, source = place_of(place, dataset)
        trained = read_record(TrainedRun, run)
        values = {
            "variant": trained.variant,
            "title": trained.title,
            "seed": trained.seed,
            "initialisation": trained.initialisation,
            "dataset": name,
            "dataset_title": dataset.title,
            "split": split,
            "boxes": source,
            "boxes_kind": dataset.boxes[source].kind,
            "box_count": len(read_boxes(boxes)),
            "weights_sha256": sha256_of_file(weights_beside(run)),
            "annotations_sha256": sha256_of_file(annotations),
            "boxes_sha256": sha256_of_file(boxes),
        }
        return parse(cls, values, place)


class EvaluationReport(Subject):
    """The content of a metrics file: figures, what they were measured on, and digests of all that they come from."""

    metric: Accuracy = "AP"
    """The figure that the evaluation is about; the interval is its."""
    metrics: dict[str, float]
    """The COCO evaluation's figures, or PCKh's, as fractions, -1 where there is no answer."""
    images: NonNegativeInt
    persons: NonNegativeInt
    predictions: NonNegativeInt
    """Persons that were left of the boxes after suppression."""
    joints: tuple[JointMetrics, ...] | tuple[JointPckh, ...]
    interval: tuple[float, float]
    bootstrap: Bootstrap
    second_opinion: SecondOpinion | None
    """None for PCKh, of which there is no second evaluator."""
    predictions_sha256: str
    protocol: Protocol


def weights_beside(run: Path) -> Path:
    """Weights of the training that a run.json tells of."""
    return run.parent / "weights.safetensors"


def write_metrics(
    dataset: Dataset,
    annotations: Path,
    run: Path,
    protocol: Protocol,
    boxes: Path,
    predictions: Path,
    bootstrap: Bootstrap,
    output: Path,
) -> None:
    """Evaluate predictions by the data set's evaluation and write an `EvaluationReport`.

    The table that its interval is resampled from is written beside it (suffix .npz).

    Args:
        run: run.json of the training that the predictions come from, its weights.safetensors beside it.
        boxes: those that were predicted on.
        predictions: COCO results at .../DATASET/SPLIT/BOXES.json; the last three parts name what was evaluated.

    Raises:
        InputError: a file is missing or wrong, or evaluators of OKS disagree.
    """
    subject = Subject.of_files(dataset, annotations, run, boxes, predictions)
    values, table = report_values(subject, dataset, annotations, protocol, predictions, bootstrap)
    report = parse(EvaluationReport, values, predictions)
    with atomic_paths(output.with_suffix(".npz"), output) as (resampled, summary):
        write_npz(resampled, **vars(table))
        write_json(summary, report.model_dump(mode="json"))


def report_values(
    subject: Subject, dataset: Dataset, annotations: Path, protocol: Protocol, predictions: Path, bootstrap: Bootstrap
) -> tuple[dict[str, Any], MatchTable | JointHits]:
    """Evaluate a file of predictions: the values of an `EvaluationReport`, and the table behind its interval.

    Raises:
        InputError: a file is wrong, or evaluators disagree.
    """
    truth = load_annotations(annotations, dataset.skeleton)
    results = read_results_on(predictions, truth, dataset.skeleton)
    if dataset.evaluation == "pckh":
        metrics, opinion = evaluate_pckh(truth, results, dataset.skeleton), None
        joints, table = metrics.joints, metrics.hits
    else:
        metrics = evaluate_keypoints(truth, results, dataset.skeleton)
        opinion = _second_opinion(metrics.statistics, truth, results, dataset.skeleton, predictions)
        joints, table = joint_metrics(truth, results, dataset.skeleton), metrics.matches
    values = subject.model_dump() | {
        "metric": accuracy_of(dataset.evaluation),
        "metrics": metrics.statistics,
        "images": metrics.images,
        "persons": metrics.persons,
        "predictions": metrics.predictions,
        "joints": joints,
        "interval": bootstrap_interval(table, bootstrap.samples, bootstrap.seed, bootstrap.level),
        "bootstrap": bootstrap,
        "second_opinion": opinion,
        "predictions_sha256": sha256_of_file(predictions),
        "protocol": protocol,
    }
    return values, table


def _second_opinion(
    statistics: dict[str, float],
    annotations: CocoAnnotations,
    results: PoseResults,
    skeleton: Skeleton,
    predictions: Path,
) -> SecondOpinion:
    official = official_opinion(annotations, results, skeleton)
    other = second_opinion(annotations, results, skeleton)
    disagreements = [
        _disagreement(statistics, opinion, judge, predictions)
        for judge, opinion in (("pycocotools", official), ("xtcocotools", other))
        if opinion is not None
    ]
    return SecondOpinion(available=other is not None, largest_disagreement=max(disagreements))


def _disagreement(statistics: dict[str, float], opinion: dict[str, float], judge: str, predictions: Path) -> float:
    difference = largest_disagreement(statistics, opinion)
    if difference > LARGEST_DISAGREEMENT:
        raise InputError(predictions, None, None, f"our evaluator and {judge} disagree by {difference:.3g}")
    return difference
