"""The best model of each evaluation, and measured results next to published ones."""

from collections.abc import Sequence
from dataclasses import dataclass

from transpose.config.study import EvalSetting, StudyTable
from transpose.reporting.labels import ANSWERS, NOT_RUN, answer_words
from transpose.reporting.sections import DASH
from transpose.reporting.study_page.axis import Axis, Interval
from transpose.reporting.study_page.blocks import Block, Cell, Group, Link, Paragraph, Part, Table
from transpose.reporting.study_page.numbers import (
    Row,
    answer_cell,
    ends_text,
    groups_of,
    interval_cell,
    interval_of,
    number_cell,
    number_of,
    number_text,
    read_rows,
    text_cell,
)
from transpose.reporting.study_page.place import Place, setting_text

_SAME_TABLE = ("dataset", "split", "boxes", "box_source", "protocol")
_INTERVAL = "95 % interval"
_SHAREABLE = ("Seeds", "Input", "Initialisation", "Notes")
_FURTHER = {"AP": ("AP50", "AP75", "APM", "APL", "AR"), "PCKh50": ("PCKh10", "PCKh11", "published_PCKh11")}
_REASONS = (
    Link("what each part of the model adds", "#ablations"),
    Link("which errors cost how much", "#errors"),
    Link("what attention does", "#findings"),
)
_NOTE = (
    "AP, AR and PCKh in per cent, means over seeds. Bars and brackets are 95 % intervals of the mean over images and,"
    " with several seeds, over trainings. Behind the best: difference from the best model on the same resampled images;"
    f" {ANSWERS}. Published ? marks values that were recalled and not confirmed. GMACs are multiply-accumulates of one"
    " forward pass of one crop."
)


@dataclass(frozen=True)
class Lead:
    """The best model of a setting minus another model, on the same images."""

    difference: Interval
    trainings: int
    images_needed: int | None
    """Images that would make such a difference clear."""

    @property
    def answer(self) -> str:
        """Return whether the difference is clear."""
        low, high = self.difference.low, self.difference.high
        return answer_words(None if low is None or high is None else (low, high), self.trainings)


@dataclass(frozen=True)
class Standing:
    """The rows of one setting, the best first, with the lead of the best."""

    rows: Sequence[Row]
    leads: dict[str, Lead]
    """By variant; without the best one."""

    @property
    def first(self) -> Row:
        """The best row."""
        return self.rows[0]

    @property
    def metric(self) -> str:
        """Main metric."""
        return self.first["metric"]


def comparison_parts(place: Place) -> list[Part]:
    """Return the answer, and one table per data set, split, box source and protocol.

    Raises:
        InputError: a file of the study is broken.
    """
    table = place.files.layout.table(StudyTable.COMPARISON)
    standings = [_standing(place, rows) for _, rows in groups_of(read_rows(table), _SAME_TABLE)]
    blocks: list[Block] = [Paragraph(_NOTE), place.files_of(StudyTable.COMPARISON, StudyTable.VERDICTS)]
    blocks += [Part(setting_text(one.first), _results(place, one)) for one in standings]
    return [Part("Which model is best", _answer(standings), "best"), Part("Comparison", blocks, "comparison")]


def _standing(place: Place, rows: Sequence[Row]) -> Standing:
    setting = place.setting_of(rows[0])
    metric = rows[0]["metric"]
    ranked = sorted(rows, key=lambda row: -(number_of(row, metric) or -1.0))
    measured = [row for row in ranked if row["status"] != NOT_RUN and row["variant"] in place.files.recipes]
    if setting is None or not measured:
        return Standing(ranked, {})
    best = measured[0]["variant"]
    leads = {row["variant"]: _lead(place, best, row["variant"], setting) for row in measured[1:]}
    return Standing(ranked, {variant: lead for variant, lead in leads.items() if lead is not None})


def _lead(place: Place, best: str, other: str, setting: EvalSetting) -> Lead | None:
    difference = place.files.difference(best, other, setting)
    if difference is None or difference.value is None:
        return None
    low, high = difference.interval() or (None, None)
    ends = (None if end is None else 100 * end for end in (low, high))
    return Lead(Interval(100 * difference.value, *ends), difference.trainings, difference.needed().images)


def _answer(standings: Sequence[Standing]) -> list[Block]:
    rows = [row for one in standings if (row := _answer_row(one)) is not None]
    note = (
        "Lead: the best model minus the next one on the same images, with its 95 % interval. The best model was chosen"
        " by these figures, so its lead is slightly too large. Images needed: images like these that would make such a"
        " lead clear."
    )
    columns = (
        "On",
        "Best model",
        "Score",
        "Lead over the next, points",
        "Is it certain?",
        "Next model",
        "Images needed",
    )
    axis = Axis.over([row[3].interval for row in rows], zero=True)
    if not rows:
        return [Paragraph("Nothing was evaluated yet.")]
    return [Table(columns, [Group(rows, axis)], note, drawn=3), Paragraph("Why:", _REASONS)]


def _answer_row(standing: Standing) -> list[Cell] | None:
    best, metric = standing.first, standing.metric
    if number_of(best, metric) is None:
        return None
    second = next((row for row in standing.rows[1:] if row["variant"] in standing.leads), None)
    score = f"{metric} {number_cell(number_of(best, metric)).text}"
    head = [Cell(setting_text(best)), Cell(best["model"]), Cell(score)]
    if second is None:
        return [*head, Cell(DASH), Cell(DASH), Cell(DASH), Cell(DASH)]
    lead = standing.leads[second["variant"]]
    words = number_text(lead.difference.value, 1, signed=True)
    drawn = Cell(f"{words} {ends_text(lead.difference, signed=True)}", lead.difference.value, interval=lead.difference)
    needed = number_cell(lead.images_needed if lead.answer == "undecided" else None, 0)
    return [*head, drawn, answer_cell(lead.answer), Cell(second["model"]), needed]


def _results(place: Place, standing: Standing) -> list[Block]:
    first, metric = standing.first, standing.metric
    axis = Axis.over([interval_of(row, metric, f"{metric}_low", f"{metric}_high") for row in standing.rows])
    named = [_cells(place, standing, row) for row in standing.rows]
    values = {column: {cells[column].text for cells in named} - {DASH, ""} for column in named[0]}
    # A value that all rows share goes into the note.
    shared = {column: values[column].pop() for column in _SHAREABLE if len(values[column]) == 1}
    columns = [column for column, texts in values.items() if texts and column not in shared]
    rows = [[cells[column] for column in columns] for cells in named]
    note = "; ".join([*_note(standing.rows, first), *(f"{name.lower()} {text}" for name, text in shared.items())])
    return [Table(columns, [Group(rows, axis)], note, columns.index(_INTERVAL) if _INTERVAL in columns else None)]


def _note(rows: Sequence[Row], first: Row) -> list[str]:
    note = [first["box_source"], first["protocol"]]
    if first["images"]:
        note.append(f"{float(first['images']):,.0f} images, {float(first['persons']):,.0f} persons")
    if all(row["comparable"] != "True" for row in rows):
        reasons = dict.fromkeys(row["verdict"].removeprefix("not comparable: ") for row in rows)
        note.append(f"no published figure is comparable: {', '.join(reasons)}")
    return note


def _cells(place: Place, standing: Standing, row: Row) -> dict[str, Cell]:
    metric, lead = standing.metric, standing.leads.get(row["variant"])
    return {
        "Model": Cell(row["model"]),
        metric: _score(place, row),
        _INTERVAL: interval_cell(interval_of(row, metric, f"{metric}_low", f"{metric}_high")),
        "Behind the best": Cell(DASH) if lead is None else _behind(lead.difference),
        "Certain?": Cell("") if lead is None else answer_cell(lead.answer),
        "Published": _published(row),
        "Minus published": number_cell(number_of(row, "difference"), signed=True),
        "Result": text_cell(row["verdict"] if row["comparable"] == "True" else ""),
        **{name.replace("_", " "): number_cell(number_of(row, name)) for name in _FURTHER.get(metric, ())},
        **{name.replace("_", " "): number_cell(number_of(row, name)) for name in row if name in _CROWDING},
        "Params (M)": number_cell(number_of(row, "params_m"), 2),
        "GMACs": number_cell(number_of(row, "gmacs"), 2),
        "Seeds": Cell(
            row["seeds"] if row["seeds"] == row["seeds_planned"] else f"{row['seeds']}/{row['seeds_planned']}"
        ),
        "Input": text_cell(row["input"]),
        "Notes": text_cell(row["notes"]),
        "Initialisation": text_cell(row["initialisation"]),
    }


def _behind(lead: Interval) -> Cell:
    turned = Interval(-lead.value, *(None if end is None else -end for end in (lead.high, lead.low)))
    return Cell(number_text(turned.value, 1, signed=True), turned.value, more=(ends_text(turned, signed=True),))


_CROWDING = ("AP_easy", "AP_medium", "AP_hard")


def _score(place: Place, row: Row) -> Cell:
    setting, number = place.setting_of(row), number_of(row, row["metric"])
    if row["status"] == NOT_RUN:
        return Cell(NOT_RUN)
    if setting is None or row["variant"] not in place.files.recipes:
        return number_cell(number)
    cell = number_cell(number, url=place.measured(row["variant"], setting))
    spread = number_of(row, f"{row['metric']}_std")
    return cell if spread is None else Cell(f"{cell.text} ± {spread:.1f}", cell.sort, cell.url)


def _published(row: Row) -> Cell:
    value = number_of(row, f"published_{row['metric']}")
    cell = number_cell(value)
    return cell if value is None or row["published_confirmed"] == "True" else Cell(f"{cell.text}?", value)
