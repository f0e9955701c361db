"""Notes of a row of the comparison: files that have changed since it was measured, and limits of the number."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from transpose.config.load import read_record
from transpose.config.recipe import Recipe
from transpose.config.run_record import RunRecord
from transpose.config.study import EvalSetting, Split
from transpose.data.box_counts import BoxCounts
from transpose.data.file_digests import images_sha256
from transpose.errors import InputError
from transpose.evaluation.box_ap import BoxReport
from transpose.evaluation.matches import read_matches
from transpose.evaluation.pckh import read_hits
from transpose.evaluation.report import MAX_ABS_DIFFERENCE, EvaluationReport
from transpose.files import sha256_of_file
from transpose.provenance import training_code
from transpose.reporting.study_files import StudyFiles
from transpose.study.layout import RunId


def row_notes(files: StudyFiles, report: EvaluationReport, setting: EvalSetting) -> Iterator[str]:
    """Yield the notes of one report.

    Raises:
        InputError: a file of the row is broken.
    """
    yield from _training_notes(files, report)
    yield from _changed_files(files, report, setting)
    if report.reference_check is not None and len(report.reference_check.evaluators) < 2:
        yield "AP checked with pycocotools only"
    if report.reference_check is not None:
        yield from report.reference_check.notes
    for counts, _ in box_reports(files, setting):
        if counts.unreadable_images:
            yield f"{counts.unreadable_images:,} unreadable images left out"
        if counts.areas_from_boxes:
            yield f"areas of {counts.areas_from_boxes:,} persons are 0.53 of their boxes"


def box_reports(files: StudyFiles, setting: EvalSetting) -> Iterator[tuple[BoxCounts, BoxReport | None]]:
    """Yield the box counts of a setting and the boxes' AP, if they exist."""
    counts, metrics = files.layout.box_counts(setting), files.layout.box_metrics(setting)
    if counts.is_file():
        report = read_record(BoxReport, metrics) if metrics.is_file() else None
        yield read_record(BoxCounts, counts), report


def _training_notes(files: StudyFiles, report: EvaluationReport) -> Iterator[str]:
    recipe = files.recipes[report.variant]
    record = read_record(RunRecord, files.layout.train(RunId(report.variant, report.seed)).record)
    if record.code.fingerprint != training_code():
        yield "the training code has changed since training"
    if differences := _changed_recipe(record, recipe):
        more = f" and {len(differences) - 1} more" if len(differences) > 1 else ""
        yield f"trained with another recipe than the study's: {differences[0]}{more}"
    if record.weights is not None and record.weights.best_sha256 != report.weights_sha256:
        yield "measured with other weights than the training wrote"


def _changed_recipe(record: RunRecord, recipe: Recipe) -> list[str]:
    if record.identity is None:
        return [] if record.recipe == recipe else ["of a released checkpoint"]
    return record.identity.model_copy(update={"recipe": recipe}).differences(record.identity)


def _changed_files(files: StudyFiles, report: EvaluationReport, setting: EvalSetting) -> Iterator[str]:
    """Yield a note for each file that was exchanged. Files may also have been deleted; the results remain valid."""
    run = RunId(report.variant, report.seed)
    annotations = files.annotations(Split(dataset=setting.dataset, split=setting.split))
    used = {
        "weights": (files.layout.train(run).weights, report.weights_sha256),
        "annotations": (annotations, report.annotations_sha256),
        "boxes": (files.layout.boxes(setting), report.boxes_sha256),
        "predictions": (files.layout.predictions(run, setting), report.predictions_sha256),
    }
    for name, (path, digest) in used.items():
        if path.is_file() and sha256_of_file(path) != digest:
            yield f"measured with other {name} than the present file"
    if annotations.is_file() and _images(annotations) not in (None, report.images_sha256):
        yield "measured on other images than the present ones"
    matches = files.layout.metrics(run, setting).with_suffix(".npz")
    if matches.is_file() and not _is_of_its_matches(report, matches):
        yield f"the metrics file states another {report.metric} than its matches give"


def _images(annotations: Path) -> str | None:
    try:
        return images_sha256(annotations)
    except InputError:
        return None


def _is_of_its_matches(report: EvaluationReport, matches: Path) -> bool:
    table = read_matches(matches) if report.metric == "AP" else read_hits(matches)
    accuracy = table.accuracy(np.ones((1, len(table.image_ids)), dtype=np.int64))[0]
    return abs(accuracy - report.metrics[report.metric]) <= MAX_ABS_DIFFERENCE
