"""Write the comparison of a study: its tables and figures."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from transpose.config.base import parse
from transpose.config.cost_report import CostReport
from transpose.config.dataset import accuracy_of
from transpose.config.load import read_record
from transpose.config.study import EvalSetting, Evaluation, Study
from transpose.errors import InputError
from transpose.evaluation.intervals import LEVEL
from transpose.evaluation.sign_flips import sign_flip_p
from transpose.files import read_json_lines, write_text
from transpose.reporting.compare import compare, summarise, write_comparison
from transpose.reporting.data_section import split_rows
from transpose.reporting.external import external_differences, external_rows
from transpose.reporting.plots import (
    TrainingCurve,
    curve_of_history,
    plot_accuracy_against_cost,
    plot_keypoint_accuracy,
    plot_training,
)
from transpose.reporting.published import load_published
from transpose.reporting.records import AblationRecord, EvaluationKey, ResultRow
from transpose.reporting.row_notes import box_reports, row_notes
from transpose.reporting.study_files import StudyFiles
from transpose.study.layout import RunId


def write_study(files: StudyFiles, published: Path) -> None:
    """Write a study's tables and figures into its results folder; missing results are shown as not run.

    Raises:
        InputError: a file of the study is broken, or results with different inputs would share a table.
    """
    study, layout = files.study, files.layout
    for evaluation in study.evaluations:
        _check_same_inputs(files, evaluation)
    rows = [row for setting in _settings(study) for row in _rows(files, setting)]
    ablations = [record for setting in _settings(study) for record in _ablations(files, setting)]
    curves = list(_curves(files))
    ablations += external_differences(files)
    boxes = [row for setting in _settings(study) for row in box_reports(files, setting)]
    external = list(external_rows(files))
    comparison = compare(rows, ablations, load_published(published), boxes, split_rows(files), external)
    write_comparison(layout, study.name, comparison)
    write_text(layout.table("comparison").with_suffix(".txt"), summarise(comparison))
    for evaluation in study.evaluations:
        setting = evaluation.settings()[0]
        shown = [row for row in rows if (row.key.dataset, row.key.split, row.key.boxes) == setting]
        plot_accuracy_against_cost(shown, layout.figure("accuracy", *setting))
        plot_keypoint_accuracy(shown, layout.figure("keypoints", *setting))
    plot_training(curves, layout.figure("training"))


def _check_same_inputs(files: StudyFiles, evaluation: Evaluation) -> None:
    """Check that all results on a split have the same annotations, and those of a box source the same boxes."""
    seen: dict[tuple[str, ...], tuple[str, Path]] = {}
    for path, digests in _inputs(files, evaluation):
        for key, digest in digests.items():
            first_digest, first = seen.setdefault(key, (digest, path))
            if digest != first_digest:
                raise InputError(f"not the {key[0]} of {first}; evaluate again", file=path, field=f"{key[0]}_sha256")


def _inputs(files: StudyFiles, evaluation: Evaluation) -> Iterator[tuple[Path, dict[tuple[str, ...], str]]]:
    """Yield the metrics files of a split, with the digests of annotations and boxes."""
    for variant, seed, setting in product(files.study.variants, range(files.study.seeds), evaluation.settings()):
        run = RunId(variant, seed)
        report = files.report(run, setting)
        if report is not None:
            digests = {("annotations",): report.annotations_sha256, ("boxes", setting.boxes): report.boxes_sha256}
            yield files.layout.metrics(run, setting), digests
    for one in files.study.external:
        external = files.external_report(one.name)
        if external is not None and (one.dataset, one.split) == (evaluation.dataset, evaluation.split):
            yield files.layout.external(one.name), {("annotations",): external.annotations_sha256}


def _settings(study: Study) -> list[EvalSetting]:
    """Return the settings of all evaluations, with repetitions."""
    return [setting for evaluation in study.evaluations for setting in evaluation.settings()]


def _rows(files: StudyFiles, setting: EvalSetting) -> Iterator[ResultRow]:
    dataset = files.datasets[setting.dataset]
    for variant, recipe in files.recipes.items():
        key = EvaluationKey(
            variant=variant,
            **setting._asdict(),
            boxes_kind=dataset.boxes[setting.boxes].kind,
            protocol=files.study.protocol,
            metric=accuracy_of(dataset.evaluation),
        )
        cost = files.layout.cost(variant)
        reports = files.reports(variant, setting)
        notes = dict.fromkeys(note for report in reports.values() for note in row_notes(files, report, setting))
        values = {
            "key": key,
            "title": recipe.variant.title,
            "dataset_title": dataset.title,
            "input_size": recipe.variant.input_size,
            "benchmark": dataset.benchmarks.get(setting.split),
            "published": recipe.variant.published,
            "seeds_planned": len(files.runs(variant)),
            "evaluations": tuple(reports.values()),
            "interval": files.interval(reports, setting),
            "notes": tuple(notes),
            "cost": read_record(CostReport, cost) if cost.is_file() else None,
        }
        yield parse(ResultRow, values, f"metrics of {variant} on {setting}")


def _ablations(files: StudyFiles, setting: EvalSetting) -> Iterator[AblationRecord]:
    dataset = files.datasets[setting.dataset]
    for ablation in files.study.ablations:
        for variant in ablation.variants:
            difference = files.difference(variant, ablation.baseline, setting)
            measured = next(iter(files.reports(variant, setting).values())) if difference else None
            needed = difference.needed() if difference else None
            several = difference if difference and difference.trainings > 1 else None
            spread = several.spread() if several else None
            yield AblationRecord(
                question=ablation.question,
                baseline_title=files.recipes[ablation.baseline].variant.title,
                variant_title=files.recipes[variant].variant.title,
                dataset_title=dataset.title,
                split=setting.split,
                boxes=setting.boxes,
                box_kind=dataset.boxes[setting.boxes].kind,
                images=measured.images if measured else 0,
                persons=measured.persons if measured else 0,
                seeds=difference.trainings if difference else 0,
                metric=accuracy_of(dataset.evaluation),
                difference=difference.value if difference else None,
                interval=difference.interval() if difference else None,
                seeds_needed=needed.trainings if needed else None,
                images_needed=needed.images if needed else None,
                half_widths=spread.half_widths(LEVEL) if spread else None,
                sign_flip_p=sign_flip_p(several.values) if several else None,
            )


def _curves(files: StudyFiles) -> Iterator[TrainingCurve]:
    for variant, recipe in files.recipes.items():
        for seed in range(files.study.seeds):
            path = files.layout.train(RunId(variant, seed)).history
            if path.is_file():
                yield curve_of_history(recipe.variant.title, seed, _read_history(path))


def _read_history(path: Path) -> list[dict[str, Any]]:
    lines = read_json_lines(path)
    for number, line in enumerate(lines, start=1):
        for field in ("epoch", "loss", "validation"):
            if field not in line:
                raise InputError("missing", file=path, record=f"line {number}", field=field)
    return lines
