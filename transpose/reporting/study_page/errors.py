"""Types of errors, what each costs in AP, and the calibration of the scores."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from transpose.config.load import read_record
from transpose.evaluation.calibration import Calibration
from transpose.evaluation.error_types.report import ErrorGroup, ErrorTypes
from transpose.evaluation.intervals import Estimate
from transpose.evaluation.model_errors import SplitErrors
from transpose.evaluation.reliability import Reliability
from transpose.reporting.error_text import type_name
from transpose.reporting.labels import setting_words
from transpose.reporting.sections import DASH
from transpose.reporting.study_page.axis import Axis, Interval
from transpose.reporting.study_page.blocks import Block, Cell, Group, Link, Page, Paragraph, Part, Table
from transpose.reporting.study_page.charts import keypoint_part
from transpose.reporting.study_page.numbers import ends_text, interval_cell, number_cell, number_text
from transpose.reporting.study_page.place import Place

_PAGE, _TITLE = "errors.html", "Errors and calibration"
_CLASSES = (
    "Jitter: a keypoint near its annotation, but not exact. Inversion: left and right exchanged. Swap: on another"
    " person. Miss: near none of these. Undetected: of a person without a prediction. Localisation: a prediction with"
    " an OKS below 0.5. Duplicate: a second prediction of a person. Background: a prediction without a person. Best not"
    " first: the best prediction of a person has not the highest score. Out of order: scores that are not in the order"
    " of OKS."
)
_COSTS = (
    "Points of AP gained if only this type of error were mended, with the 95 % interval over images (200 resamples),"
    " and the number of errors. Of the first training of each model. Gains do not add up."
)
_CALIBRATION = (
    "Expected calibration error in per cent, with the 95 % interval over images: the mean distance of the score from"
    " what it predicts, the OKS term of a keypoint, or the OKS of a person. The last column is the gain in AP with"
    " person scores that are corrected for the size of the person. Of the first training of each model."
)
_DIAGRAM = "What the scores predict by score; calibrated scores are on the diagonal: {}."
_INTRODUCTION = (
    "Points of AP gained if all errors of found persons in a group of keypoints were mended, with 95 % intervals over"
    " images, and the share of each type of error. Of the first training of each model."
)


class _Model(NamedTuple):
    """Errors of a model, or of another tool's results."""

    title: str
    errors: ErrorTypes
    calibration: Calibration


class _Split(NamedTuple):
    """Errors of all models on a split, in the same boxes."""

    name: tuple[str, str]
    """Data set and split."""
    title: str
    models: Sequence[_Model]


def errors_part(place: Place) -> Part:
    """Return what each type of error costs, and the calibration, for the first page.

    Raises:
        InputError: a file of errors is broken.
    """
    splits = _splits(place)
    if not splits:
        text = "Only evaluations by OKS have types of errors and calibration. Accuracy of each keypoint:"
        return Part(_TITLE, [Paragraph(text, [Link(_TITLE, _PAGE)])], "errors")
    text = "By keypoint, visibility, size, crowding and truncation, with calibration by size and visibility:"
    blocks: list[Block] = [Paragraph(_CLASSES), Paragraph(text, [Link("all errors", _PAGE)])]
    for split in splits:
        figure = place.chart(place.files.layout.figure("reliability", *split.name), _DIAGRAM.format(split.title))
        blocks.append(Part(split.title, [_cost_table(split), _calibration_table(split), figure, _links(place, split)]))
    return Part(_TITLE, blocks, "errors")


def errors_page(place: Place) -> Page:
    """Return the page of errors by groups of keypoints, and of the accuracy of each keypoint.

    Raises:
        InputError: a file of errors is broken.
    """
    parts = [
        Part(split.title, [*_groups(split), _links(place, split)], "-".join(split.name)) for split in _splits(place)
    ]
    return Page(_PAGE, _TITLE, _INTRODUCTION if parts else "", [*parts, keypoint_part(place)])


def _splits(place: Place) -> list[_Split]:
    """Return the errors on each split that has any, with those of other tools' results."""
    found = []
    for name in place.files.study.evaluated_splits():
        path = place.files.layout.model_errors(*name)
        if path.is_file():
            models = read_record(SplitErrors, path).models
            rows = [_Model(one.title, one.errors, one.calibration) for one in models]
            title = setting_words(models[0].dataset_title, models[0].split, models[0].boxes)
            found.append(_Split(name, title, [*rows, *_external(place, name)]))
    return found


def _external(place: Place, name: tuple[str, str]) -> Iterator[_Model]:
    for settings in place.files.study.external:
        report = place.files.external_report(settings.name)
        if report is not None and (settings.dataset, settings.split) == name:
            yield _Model(settings.title, report.errors, report.calibration)


def _links(place: Place, split: _Split) -> Paragraph:
    layout = place.files.layout
    page, record = layout.error_browser(*split.name), layout.model_errors(*split.name)
    links = [place.link("error browser", page)] if page.is_file() else []
    return Paragraph(
        "Worst and best predictions with images, and all figures:", [*links, place.link(record.name, record)]
    )


def _cost_table(split: _Split) -> Table:
    columns = ["Model", *(type_name(name).capitalize() for name in split.models[0].errors.costs)]
    rows = [
        [Cell(one.title), *(_gain_cell(cost, f"{cost.count:,}") for cost in one.errors.costs.values())]
        for one in split.models
    ]
    return Table(columns, [Group(rows)], _COSTS)


def _calibration_table(split: _Split) -> Table:
    axis = Axis.over([_error(one.calibration.keypoints) for one in split.models], zero=True)
    rows = [_calibration_cells(one.title, one.calibration) for one in split.models]
    columns = ("Model", "Keypoint scores", "95 % interval", "Person scores", "AP if corrected", "Not measured")
    shown = len(columns) if any(one.calibration.notes for one in split.models) else -1
    return Table(columns[:shown], [Group([row[:shown] for row in rows], axis)], _CALIBRATION, drawn=2)


def _calibration_cells(title: str, calibration: Calibration) -> list[Cell]:
    keypoints, gain = _error(calibration.keypoints), calibration.rescored
    return [
        Cell(title),
        number_cell(keypoints.value if keypoints else None),
        interval_cell(keypoints),
        _error_cell(calibration.persons),
        Cell(DASH) if gain is None else _gain_cell(gain),
        Cell("; ".join(calibration.notes)),
    ]


def _groups(split: _Split) -> Iterator[Block]:
    """Yield a table for each kind of groups, and one of the calibration of groups."""
    first, *_ = split.models
    for kind, groups in (first.errors.groups or {}).items():
        tables = [[(one.title, (one.errors.groups or {})[kind][name]) for one in split.models] for name in groups]
        axis = Axis.over([_percent(group.ap_gain) for rows in tables for _, group in rows], zero=True)
        classes = [name.capitalize() for name in next(iter(groups.values())).counts]
        shown = [
            Group([_group_cells(*row) for row in rows], axis, name.replace("_", " "))
            for name, rows in zip(groups, tables, strict=True)
        ]
        columns = ("Model", "AP if mended", "95 % interval", "Keypoints", *(f"{name}, %" for name in classes))
        yield Part(f"Errors by {kind}", [Table(columns, shown, drawn=2)])
    names = list(_calibration_groups(first.calibration))
    rows = [[Cell(one.title), *map(_error_cell, _calibration_groups(one.calibration).values())] for one in split.models]
    if all(len(row) == 1 + len(names) for row in rows):
        note = "Expected calibration error in per cent, with the 95 % interval over images."
        yield Part("Calibration by size and visibility", [Table(("Model", *names), [Group(rows)], note)])


def _group_cells(title: str, group: ErrorGroup) -> list[Cell]:
    gain, total = _percent(group.ap_gain), sum(group.counts.values())
    shares = (number_cell(100 * count / total if total else None) for count in group.counts.values())
    return [
        Cell(title),
        number_cell(gain.value if gain else None, 2, signed=True),
        interval_cell(gain, 2, signed=True),
        number_cell(total, 0),
        *shares,
    ]


def _calibration_groups(calibration: Calibration) -> dict[str, Reliability]:
    return {
        **{f"Keypoints, {name}": one for name, one in calibration.keypoints_by_visibility.items()},
        **{f"Keypoints, {name} persons": one for name, one in calibration.keypoints_by_size.items()},
        **{f"Persons, {name}": one for name, one in calibration.persons_by_size.items()},
    }


def _gain_cell(estimate: Estimate, *more: str) -> Cell:
    """Return a cell with a gain in points, its interval, and further lines."""
    gain = _percent(estimate)
    if gain is None:
        return Cell(DASH, more=more)
    return Cell(number_text(gain.value, 1, signed=True), gain.value, more=(ends_text(gain, 1, signed=True), *more))


def _error_cell(reliability: Reliability | None) -> Cell:
    """Return a cell with a calibration error and its interval."""
    error = _error(reliability)
    return Cell(DASH) if error is None else Cell(number_text(error.value, 1), error.value, more=(ends_text(error),))


def _error(reliability: Reliability | None) -> Interval | None:
    return None if reliability is None else _percent(reliability.ece)


def _percent(estimate: Estimate) -> Interval | None:
    """Return a fraction with its interval in per cent."""
    if estimate.value is None:
        return None
    ends = (None if end is None else 100 * end for end in (estimate.low, estimate.high))
    return Interval(100 * estimate.value, *ends)
