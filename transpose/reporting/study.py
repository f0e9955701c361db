"""A study's files gathered into the rows, differences and figures of its comparison."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from transpose.config.dataset import Dataset
from transpose.config.load import read_record
from transpose.config.recipe import Recipe
from transpose.config.study import Evaluation, Study
from transpose.cost import CostReport
from transpose.evaluation.bootstrap import paired_difference
from transpose.evaluation.matches import read_matches
from transpose.files import read_json, write_text
from transpose.provenance import TRAINING_CODE, code_fingerprint
from transpose.reporting.compare import compare, summarise, write_comparison
from transpose.reporting.plots import curve_of_history, plot_accuracy_against_cost, plot_joint_accuracy, plot_training
from transpose.reporting.published import load_published
from transpose.reporting.records import AblationRecord, EvaluationKey, EvaluationRecord, ResultRow
from transpose.reporting.writers import TERMINAL_WIDTH


@dataclass(frozen=True)
class StudyFiles:
    """A study with its resolved recipes and data sets, and where its results lie."""

    study: Study
    recipes: dict[str, Recipe]
    datasets: dict[str, Dataset]

    @classmethod
    def of_study(cls, study: Study) -> "StudyFiles":
        """Read the records that the workflow left in the results folder.

        Raises:
            InputError: a record is missing or wrong.
        """
        records = Path(study.results) / "records"
        names = {evaluation.dataset for evaluation in study.evaluations}
        return cls(
            study,
            {name: read_record(Recipe, records / "recipes" / f"{name}.json") for name in study.variants},
            {name: read_record(Dataset, records / "datasets" / f"{name}.json") for name in names},
        )

    def metrics(self, variant: str, seed: int, evaluation: Evaluation, boxes: str) -> Path:
        """Metrics file of one run on one evaluation; its match table lies beside it."""
        place = Path(evaluation.dataset) / evaluation.split / f"{boxes}.json"
        return Path(self.study.results) / "metrics" / variant / f"seed{seed}" / place

    def run_folder(self, variant: str, seed: int) -> Path:
        """Folder of one training."""
        return Path(self.study.results) / "train" / variant / f"seed{seed}"


def write_study(study: Study, published: Path) -> None:
    """Write a study's tables and figures into its results folder. A missing result shows as missing.

    Raises:
        InputError: a file of the study is broken, or results that do not belong together would share a row.
    """
    files = StudyFiles.of_study(study)
    folder = Path(study.results)
    rows = [row for place in _places(study) for row in _rows(files, *place)]
    ablations = [record for place in _places(study) for record in _ablations(files, *place)]
    comparison = compare(rows, ablations, load_published(published))
    write_comparison(folder, study.name, comparison)
    write_text(folder / "comparison.txt", summarise(comparison, TERMINAL_WIDTH))
    for evaluation in study.evaluations:
        shown = [row for row in rows if _is_place(row, evaluation, evaluation.boxes[0])]
        name = f"{evaluation.dataset}_{evaluation.split}_{evaluation.boxes[0]}.png"
        plot_accuracy_against_cost(shown, folder / "figures" / f"accuracy_{name}")
        plot_joint_accuracy(shown, folder / "figures" / f"joints_{name}")
    plot_training(list(_curves(files)), folder / "figures" / "training.png")


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
        )
        cost = Path(files.study.results) / "cost" / f"{variant}.json"
        yield ResultRow(
            key=key,
            title=recipe.variant.title,
            dataset_title=dataset.title,
            input_size=recipe.variant.input_size,
            benchmark=dataset.benchmarks.get(evaluation.split),
            published=recipe.variant.published,
            seeds_planned=files.study.seeds,
            evaluations=tuple(_evaluations(files, key, evaluation)),
            cost=read_record(CostReport, cost) if cost.is_file() else None,
        )


def _evaluations(files: StudyFiles, key: EvaluationKey, evaluation: Evaluation) -> Iterator[EvaluationRecord]:
    for seed in range(files.study.seeds):
        path = files.metrics(key.variant, seed, evaluation, key.boxes)
        if path.is_file():
            metrics = read_json(path)
            yield EvaluationRecord(
                key=key,
                seed=seed,
                images=metrics["images"],
                persons=metrics["persons"],
                initialisation=metrics["initialisation"],
                metrics=metrics["metrics"],
                interval=metrics["interval"],
                joint_ap={joint["keypoint"]: joint["ap"] for joint in metrics["joints"]},
                notes=tuple(_notes(metrics, read_json(files.run_folder(key.variant, seed) / "run.json"))),
            )


def _notes(metrics: dict[str, Any], run: dict[str, Any]) -> Iterator[str]:
    if run["code"]["fingerprint"] != code_fingerprint(*TRAINING_CODE):
        yield "the training code has changed since"
    if not metrics["second_opinion"]["available"]:
        yield "without xtcocotools' second opinion"


def _ablations(files: StudyFiles, evaluation: Evaluation, boxes: str) -> Iterator[AblationRecord]:
    dataset = files.datasets[evaluation.dataset]
    for ablation in files.study.ablations:
        for variant in ablation.variants:
            pairs = [
                tuple(files.metrics(name, seed, evaluation, boxes) for name in (variant, ablation.baseline))
                for seed in range(files.study.seeds)
            ]
            complete = [(a, b) for a, b in pairs if a.is_file() and b.is_file()]
            counts = read_json(complete[0][0]) if complete else {"images": 0, "persons": 0}
            mean = _mean_difference(files.study, complete)
            yield AblationRecord(
                question=ablation.question,
                baseline_title=files.recipes[ablation.baseline].variant.title,
                variant_title=files.recipes[variant].variant.title,
                dataset_title=dataset.title,
                split=evaluation.split,
                boxes=boxes,
                box_kind=dataset.boxes[boxes].kind,
                images=counts["images"],
                persons=counts["persons"],
                seeds=len(complete),
                difference=mean[0] if mean else None,
                interval=(mean[1], mean[2]) if mean else None,
            )


def _mean_difference(study: Study, pairs: list[tuple[Path, Path]]) -> tuple[float, float, float] | None:
    """Difference and its interval, each averaged over the pairs of trainings."""
    if not pairs:
        return None
    differences = [
        paired_difference(
            read_matches(a.with_suffix(".npz")),
            read_matches(b.with_suffix(".npz")),
            study.bootstrap_samples,
            study.bootstrap_seed,
        )
        for a, b in pairs
    ]
    difference, low, high = np.mean(differences, axis=0).tolist()
    return difference, low, high


def _curves(files: StudyFiles) -> Iterator[Any]:
    for variant, recipe in files.recipes.items():
        for seed in range(files.study.seeds):
            path = files.run_folder(variant, seed) / "history.jsonl"
            if path.is_file():
                lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
                yield curve_of_history(recipe.variant.title, seed, lines)
