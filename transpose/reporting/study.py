"""A study's files gathered into the rows, differences and figures of its comparison."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from transpose.config.base import parse
from transpose.config.dataset import accuracy_of
from transpose.config.load import read_record, read_run_recipe
from transpose.config.recipe import Recipe
from transpose.config.study import Evaluation, Study
from transpose.cost import CostReport
from transpose.data.box_counts import BoxCounts, counts_path
from transpose.errors import InputError
from transpose.evaluation.box_ap import BoxReport
from transpose.evaluation.report import EvaluationReport, TrainedRun, weights_beside
from transpose.files import read_json_lines, sha256_of_file, write_text
from transpose.provenance import TRAINING_CODE, code_fingerprint
from transpose.reporting.box_table import BoxRow
from transpose.reporting.compare import compare, summarise, write_comparison
from transpose.reporting.plots import (
    TrainingCurve,
    curve_of_history,
    plot_accuracy_against_cost,
    plot_joint_accuracy,
    plot_training,
)
from transpose.reporting.published import load_published
from transpose.reporting.records import AblationRecord, EvaluationKey, EvaluationRecord, ResultRow
from transpose.reporting.study_files import StudyFiles
from transpose.reporting.writers import TERMINAL_WIDTH


def write_study(study: Study, published: Path) -> None:
    """Write a study's tables and figures into its results folder. A missing result shows as missing.

    Raises:
        InputError: a file of the study is broken, or results that do not belong together would share a table.
    """
    files = StudyFiles.of_study(study)
    for evaluation in study.evaluations:
        _check_same_inputs(files, evaluation)
    folder = Path(study.results)
    rows = [row for place in _places(study) for row in _rows(files, *place)]
    ablations = [record for place in _places(study) for record in _ablations(files, *place)]
    curves = list(_curves(files))
    boxes = [row for place in _places(study) for row in _box_rows(files, *place)]
    comparison = compare(rows, ablations, load_published(published), boxes)
    write_comparison(folder, study.name, comparison)
    write_text(folder / "comparison.txt", summarise(comparison, TERMINAL_WIDTH))
    for evaluation in study.evaluations:
        shown = [row for row in rows if _is_place(row, evaluation, evaluation.boxes[0])]
        name = f"{evaluation.dataset}_{evaluation.split}_{evaluation.boxes[0]}.png"
        plot_accuracy_against_cost(shown, folder / "figures" / f"accuracy_{name}")
        plot_joint_accuracy(shown, folder / "figures" / f"joints_{name}")
    plot_training(curves, folder / "figures" / "training.png")


def _check_same_inputs(files: StudyFiles, evaluation: Evaluation) -> None:
    """All figures of a split are of the same annotations, and those of a box source of the same boxes."""
    seen: dict[tuple[str, ...], tuple[str, Path]] = {}
    for variant, seed, boxes in product(files.study.variants, range(files.study.seeds), evaluation.boxes):
        report = files.report(variant, seed, evaluation, boxes)
        if report is None:
            continue
        path = files.metrics(variant, seed, evaluation, boxes)
        for key, digest in {("annotations",): report.annotations_sha256, ("boxes", boxes): report.boxes_sha256}.items():
            first_digest, first = seen.setdefault(key, (digest, path))
            if digest != first_digest:
                raise InputError(path, None, f"{key[0]}_sha256", f"not the {key[0]} of {first}; evaluate again")


def _places(study: Study) -> Iterator[tuple[Evaluation, str]]:
    return ((evaluation, boxes) for evaluation in study.evaluations for boxes in evaluation.boxes)


def _is_place(row: ResultRow, evaluation: Evaluation, boxes: str) -> bool:
    return (row.key.dataset, row.key.split, row.key.boxes) == (evaluation.dataset, evaluation.split, boxes)


def _rows(files: StudyFiles, evaluation: Evaluation, boxes: str) -> Iterator[ResultRow]:
    dataset = files.datasets[evaluation.dataset]
    for variant, recipe in files.recipes.items():
        key = EvaluationKey(
            variant=variant,
            dataset=evaluation.dataset,
            split=evaluation.split,
            boxes=boxes,
            box_kind=dataset.boxes[boxes].kind,
            protocol=files.study.protocol,
            metric=accuracy_of(dataset.evaluation),
        )
        cost = Path(files.study.results) / "cost" / f"{variant}.json"
        values = {
            "key": key,
            "title": recipe.variant.title,
            "dataset_title": dataset.title,
            "input_size": recipe.variant.input_size,
            "benchmark": dataset.benchmarks.get(evaluation.split),
            "published": recipe.variant.published,
            "seeds_planned": files.study.seeds if recipe.training.source == "trained" else 1,
            "evaluations": tuple(_evaluations(files, variant, evaluation, boxes)),
            "cost": read_record(CostReport, cost) if cost.is_file() else None,
        }
        yield parse(ResultRow, values, Path(files.study.results) / "metrics" / variant)


def _evaluations(files: StudyFiles, variant: str, evaluation: Evaluation, boxes: str) -> Iterator[EvaluationRecord]:
    for seed in range(files.study.seeds):
        report = files.report(variant, seed, evaluation, boxes)
        if report is not None:
            notes = _notes(report, files.run_folder(variant, seed) / "run.json", files.recipes[variant])
            left_out = _note_of_broken_pictures(files, evaluation, boxes)
            yield _evaluation_record(report, (*notes, *left_out))


def _evaluation_record(report: EvaluationReport, notes: tuple[str, ...]) -> EvaluationRecord:
    return EvaluationRecord(
        key=EvaluationKey(
            variant=report.variant,
            dataset=report.dataset,
            split=report.split,
            boxes=report.boxes,
            box_kind=report.boxes_kind,
            protocol=report.protocol,
            metric=report.metric,
        ),
        seed=report.seed,
        images=report.images,
        persons=report.persons,
        box_count=report.box_count,
        initialisation=report.initialisation,
        metrics=report.metrics,
        interval=report.interval,
        joint_accuracy={joint.keypoint: joint.accuracy for joint in report.joints},
        notes=notes,
    )


def _notes(report: EvaluationReport, run: Path, recipe: Recipe) -> Iterator[str]:
    if read_record(TrainedRun, run).code.get("fingerprint") != code_fingerprint(*TRAINING_CODE):
        yield "the training code has changed since"
    if not _is_of_recipe(run, recipe):
        yield "trained by another recipe than the study's"
    # Weights may have been put away; their figures are still what they were.
    weights = weights_beside(run)
    if weights.is_file() and sha256_of_file(weights) != report.weights_sha256:
        yield "measured with other weights than are there now"
    if report.second_opinion is not None and not report.second_opinion.available:
        yield "without xtcocotools' second opinion"


def _is_of_recipe(run: Path, recipe: Recipe) -> bool:
    try:
        return read_run_recipe(run) == recipe
    except InputError:  # of a time that knew other keys
        return False


def _box_rows(files: StudyFiles, evaluation: Evaluation, boxes: str) -> Iterator[BoxRow]:
    """The boxes of an evaluation; nothing while they are not counted."""
    results, place = Path(files.study.results), Path(evaluation.dataset) / evaluation.split / f"{boxes}.json"
    counts, metrics = counts_path(results / "boxes" / place), results / "box_ap" / place
    if counts.is_file():
        report = read_record(BoxReport, metrics) if metrics.is_file() else None
        yield read_record(BoxCounts, counts), report


def _note_of_broken_pictures(files: StudyFiles, evaluation: Evaluation, boxes: str) -> list[str]:
    broken = [counts.broken_pictures for counts, _ in _box_rows(files, evaluation, boxes)]
    return [f"{number:,} broken pictures left out" for number in broken if number]


def _ablations(files: StudyFiles, evaluation: Evaluation, boxes: str) -> Iterator[AblationRecord]:
    dataset = files.datasets[evaluation.dataset]
    for ablation in files.study.ablations:
        for variant in ablation.variants:
            seeds, mean = files.difference(variant, ablation.baseline, evaluation, boxes)
            measured = files.first_report(variant, evaluation, boxes) if seeds else None
            yield AblationRecord(
                question=ablation.question,
                baseline_title=files.recipes[ablation.baseline].variant.title,
                variant_title=files.recipes[variant].variant.title,
                dataset_title=dataset.title,
                split=evaluation.split,
                boxes=boxes,
                box_kind=dataset.boxes[boxes].kind,
                images=measured.images if measured else 0,
                persons=measured.persons if measured else 0,
                seeds=seeds,
                metric=accuracy_of(dataset.evaluation),
                difference=mean[0] if mean else None,
                interval=(mean[1], mean[2]) if mean else None,
            )


def _curves(files: StudyFiles) -> Iterator[TrainingCurve]:
    for variant, recipe in files.recipes.items():
        for seed in range(files.study.seeds):
            path = files.run_folder(variant, seed) / "history.jsonl"
            if path.is_file():
                yield curve_of_history(recipe.variant.title, seed, _read_history(path))


def _read_history(path: Path) -> list[dict[str, Any]]:
    lines = read_json_lines(path)
    for number, line in enumerate(lines, start=1):
        for field in ("epoch", "loss", "validation"):
            if field not in line:
                raise InputError(path, f"line {number}", field, "missing")
    return lines
