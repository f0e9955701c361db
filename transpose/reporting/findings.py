"""The main table of a study, and its results in a few sentences, from the tables of the comparison."""

import math
from collections.abc import Iterator, Sequence

from transpose.config.study import StudyTable
from transpose.reporting.labels import NOT_RUN, count_words
from transpose.reporting.sections import Section, interval_words, number, with_sign
from transpose.reporting.study_page.numbers import Row, groups_of, number_of, read_rows
from transpose.reporting.study_page.place import setting_text
from transpose.study.layout import ResultsLayout

_SETTING = ("dataset", "split", "boxes")


def main_table(layout: ResultsLayout) -> Section:
    """Return model, accuracy, interval and published figure of the study's first evaluation setting."""
    rows = _settings(read_rows(layout.table(StudyTable.COMPARISON)))[0]
    first, metric = rows[0], rows[0]["metric"]
    cells = [
        {
            "Model": row["model"],
            metric: NOT_RUN if row["status"] == NOT_RUN else number(_value(row, metric)),
            "95 % interval": interval_words(_value(row, f"{metric}_low"), _value(row, f"{metric}_high")),
            "Published": number(_value(row, f"published_{metric}")),
            "Difference": with_sign(_value(row, "difference")),
            "Params (M)": number(_value(row, "params_m"), 2),
            "Seeds": row["seeds"],
        }
        for row in rows
    ]
    is_published = any(row[f"published_{metric}"] for row in rows)
    columns = [name for name in cells[0] if is_published or name not in ("Published", "Difference")]
    run = [row for row in rows if row["status"] != NOT_RUN][:1]
    counts = [count_words(*(int(_value(row, name)) for name in ("images", "persons"))) for row in run]
    table = tuple(tuple(cell[column] for column in columns) for cell in cells)
    return Section(setting_text(first), "; ".join(["first evaluation of the study", *counts]), tuple(columns), table)


def findings(layout: ResultsLayout) -> list[str]:
    """Return what a study found, the most important first: best models, answers, published figures, what is missing."""
    settings = _settings(read_rows(layout.table(StudyTable.COMPARISON)))
    main, *others = [sentence for rows in settings for sentence in _highest(rows)] or [""]
    return [
        *filter(None, [main]),
        *_answers(read_rows(layout.table(StudyTable.ABLATIONS))),
        *_reproduced(read_rows(layout.table(StudyTable.VERDICTS))),
        *_missing(settings),
        *others,
        *_notes(settings),
    ]


def _settings(rows: Sequence[Row]) -> list[list[Row]]:
    """Group rows by evaluation setting, in order of appearance."""
    return [found for _, found in groups_of(rows, _SETTING)]


def _value(row: Row, column: str) -> float:
    """Return a number of a row; NaN if it is missing."""
    value = number_of(row, column)
    return math.nan if value is None else value


def _highest(rows: Sequence[Row]) -> Iterator[str]:
    metric = rows[0]["metric"]
    ranked = sorted((row for row in rows if row[metric]), key=lambda row: -_value(row, metric))
    words = [
        f"{row['model']} {number(_value(row, metric))}"
        f" {interval_words(_value(row, f'{metric}_low'), _value(row, f'{metric}_high'))}"
        for row in ranked
    ]
    if words:
        following = f"; next: {words[1]}" if len(words) > 1 else ""
        yield f"Highest {metric} on {setting_text(rows[0])}: {words[0]}{following}"


def _answers(ablations: Sequence[Row]) -> Iterator[str]:
    for row in ablations:
        if all(row[key] == ablations[0][key] for key in _SETTING) and row["answer"] != NOT_RUN:
            difference = f"{with_sign(_value(row, 'difference'))} {row['metric']}"
            interval = interval_words(_value(row, "low"), _value(row, "high"), signed=True)
            models = f"{row['variant']} minus {row['baseline']}"
            yield f"{row['question']} {models}: {difference} {interval}, {row['answer']}"


def _reproduced(verdicts: Sequence[Row]) -> Iterator[str]:
    counts: dict[str, int] = {}
    for row in verdicts:
        counts[row["verdict"]] = counts.get(row["verdict"], 0) + 1
    if counts.keys() - {NOT_RUN}:
        yield f"Published figures: {', '.join(f'{count} {verdict}' for verdict, count in counts.items())}"


def _missing(settings: Sequence[Sequence[Row]]) -> Iterator[str]:
    for rows in settings:
        models = [row["model"] for row in rows if row["status"] == NOT_RUN]
        if models:
            yield f"Not run on {setting_text(rows[0])}: {', '.join(models)}"


def _notes(settings: Sequence[Sequence[Row]]) -> Iterator[str]:
    models: dict[str, list[str]] = {}
    for rows in settings:
        for row in rows:
            if row["notes"] and row["model"] not in models.setdefault(row["notes"], []):
                models[row["notes"]].append(row["model"])
    yield from (f"Note on {', '.join(names)}: {note}" for note, names in models.items())
