"""The page of provenance: which files, weights, code and machine are behind each number."""

from pathlib import Path

from transpose.config.load import read_record
from transpose.config.run_record import RunRecord
from transpose.config.study import EvalSetting
from transpose.evaluation.report import EvaluationReport
from transpose.reporting.sections import DASH
from transpose.reporting.study_page.blocks import Cell, Folded, Group, Link, Page, Paragraph, Part, Table
from transpose.reporting.study_page.numbers import number_cell
from transpose.reporting.study_page.place import Place, anchor
from transpose.study.layout import RecordKind, RunId

_TRAINING_COLUMNS = (
    "Training",
    "Record",
    "History",
    "Log",
    "Commit",
    "Code",
    "Parameters",
    "Device",
    "Threads",
    "Start",
)
_RESULT_COLUMNS = (
    "Training",
    "Value",
    "Metrics",
    "Record of predictions",
    "Weights",
    "Annotations",
    "Boxes",
    "Dtype",
    "Threads",
    "Checked by",
)
_INTRODUCTION = (
    "Files are in the results folder; links work while the report stays in it. Digests are the first characters of"
    " SHA-256."
)


def provenance_page(place: Place) -> Page:
    """Return the page of files, digests and code.

    Raises:
        InputError: a record is broken.
    """
    runs = [run for variant in place.files.recipes for run in place.files.runs(variant)]
    rows = [row for run in runs if (row := _training(place, run)) is not None]
    results = [_results(place, setting) for setting in place.files.study.settings()]
    trainings = Part("Trainings", [Table(_TRAINING_COLUMNS, [Group(rows)])])
    return Page(
        "provenance.html",
        "Provenance",
        _INTRODUCTION,
        [trainings, Part("Results", results), _configuration(place)],
    )


def _training(place: Place, run: RunId) -> list[Cell] | None:
    folder, layout = place.files.layout.train(run), place.files.layout
    if not folder.record.is_file():
        return None
    record = read_record(RunRecord, folder.record)
    code = record.code
    commit = DASH if code.git is None else code.git[:12] + (" with changes" if code.dirty else "")
    device = record.environment.get("device", DASH)
    return [
        Cell(str(run)),
        _file(place, folder.record),
        _file(place, folder.history),
        _file(place, layout.log("train", run)),
        Cell(commit),
        Cell(code.fingerprint or DASH),
        number_cell(record.parameters, 0),
        Cell(record.environment.get("cpu", device) if device == "cpu" else device),
        Cell(", then ".join(map(str, record.threads)) or DASH),
        Cell(record.initialisation),
    ]


def _file(place: Place, path: Path) -> Cell:
    return Cell(path.name, url=place.url(path)) if path.is_file() else Cell(DASH)


def _results(place: Place, setting: EvalSetting) -> Part:
    reports = [report for variant in place.files.recipes for report in place.files.reports(variant, setting).values()]
    rows = [_result_cells(place, setting, report) for report in reports]
    return Part(str(setting), [Table(_RESULT_COLUMNS, [Group(rows)])], anchor(setting))


def _result_cells(place: Place, setting: EvalSetting, report: EvaluationReport) -> list[Cell]:
    run, layout = RunId(report.variant, report.seed), place.files.layout
    checked, predicted = report.reference_check, report.predicted
    return [
        Cell(str(run)),
        number_cell(100 * report.metrics[report.metric], 2),
        _file(place, layout.metrics(run, setting)),
        _file(place, layout.prediction_record(run, setting)),
        *(Cell(digest[:12]) for digest in (report.weights_sha256, report.annotations_sha256, report.boxes_sha256)),
        Cell(DASH if predicted is None else predicted.dtype or DASH),
        Cell(str((predicted and predicted.threads) or DASH)),
        Cell(DASH if checked is None else ", ".join(checked.evaluators)),
    ]


def _configuration(place: Place) -> Part:
    root = place.files.layout.record(RecordKind.STUDY).parents[1]
    links = [Link(path.relative_to(root).as_posix(), place.url(path)) for path in sorted(root.rglob("*.json"))]
    return Part("Configuration", [Folded("Resolved settings of the study", [Paragraph("Records:", links)])])
