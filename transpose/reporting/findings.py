"""The main table of a study, and its results in a few sentences, from the tables of the comparison."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from transpose.config.study import StudyTable
from transpose.reporting.labels import NOT_RUN, count_words, setting_words
from transpose.reporting.sections import Section, interval_words, number, with_sign
from transpose.study.layout import ResultsLayout

_SETTING = ["dataset", "split", "boxes"]


def main_table(layout: ResultsLayout) -> Section:
    """Return model, accuracy, interval and published figure of the study's first evaluation setting."""
    rows = _settings(_read(layout, StudyTable.COMPARISON))[0]
    first, metric = rows[0], rows[0]["metric"]
    cells = [
        {
            "Model": row["model"],
            metric: NOT_RUN if row["status"] == NOT_RUN else number(row[metric]),
            "95 % interval": interval_words(row[f"{metric}_low"], row[f"{metric}_high"]),
            "Published": number(row[f"published_{metric}"]),
            "Difference": with_sign(row["difference"]),
            "Params (M)": number(row["params_m"], 2),
            "Seeds": str(row["seeds"]),
        }
        for row in rows
    ]
    is_published = any(pd.notna(row[f"published_{metric}"]) for row in rows)
    columns = [name for name in cells[0] if is_published or name not in ("Published", "Difference")]
    counts = [count_words(row["images"], row["persons"]) for row in rows if row["status"] != NOT_RUN][:1]
    table = tuple(tuple(cell[column] for column in columns) for cell in cells)
    return Section(_title(first), "; ".join(["first evaluation of the study", *counts]), tuple(columns), table)


def findings(layout: ResultsLayout) -> list[str]:
    """Return what a study found, the most important first: best models, answers, published figures, what is missing."""
    settings = _settings(_read(layout, StudyTable.COMPARISON))
    main, *others = [sentence for rows in settings for sentence in _highest(rows)] or [""]
    return [
        *filter(None, [main]),
        *_answers(_read(layout, StudyTable.ABLATIONS)),
        *_reproduced(_read(layout, StudyTable.VERDICTS)),
        *_missing(settings),
        *others,
        *_notes(settings),
    ]


def _read(layout: ResultsLayout, table: StudyTable) -> list[dict[str, Any]]:
    path = layout.table(table).with_suffix(".csv")
    if not path.is_file():
        return []
    rows = pd.read_csv(path).to_dict(orient="records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def _settings(rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Group rows by evaluation setting, in order of appearance."""
    found: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(tuple(row[key] for key in _SETTING), []).append(row)
    return list(found.values())


def _title(row: dict[str, Any]) -> str:
    return setting_words(*(row[key] for key in _SETTING))


def _highest(rows: list[dict[str, Any]]) -> Iterator[str]:
    metric = rows[0]["metric"]
    ranked = sorted((row for row in rows if pd.notna(row[metric])), key=lambda row: -row[metric])
    words = [
        f"{row['model']} {number(row[metric])} {interval_words(row[f'{metric}_low'], row[f'{metric}_high'])}"
        for row in ranked
    ]
    if words:
        following = f"; next: {words[1]}" if len(words) > 1 else ""
        yield f"Highest {metric} on {_title(rows[0])}: {words[0]}{following}"


def _answers(ablations: list[dict[str, Any]]) -> Iterator[str]:
    for row in ablations:
        if all(row[key] == ablations[0][key] for key in _SETTING) and row["answer"] != NOT_RUN:
            difference = f"{with_sign(row['difference'])} {row['metric']}"
            interval = interval_words(row["low"], row["high"], signed=True)
            models = f"{row['variant']} minus {row['baseline']}"
            yield f"{row['question']} {models}: {difference} {interval}, {row['answer']}"


def _reproduced(verdicts: list[dict[str, Any]]) -> Iterator[str]:
    counts: dict[str, int] = {}
    for row in verdicts:
        counts[row["verdict"]] = counts.get(row["verdict"], 0) + 1
    if counts.keys() - {NOT_RUN}:
        yield f"Published figures: {', '.join(f'{count} {verdict}' for verdict, count in counts.items())}"


def _missing(settings: list[list[dict[str, Any]]]) -> Iterator[str]:
    for rows in settings:
        models = [row["model"] for row in rows if row["status"] == NOT_RUN]
        if models:
            yield f"Not run on {_title(rows[0])}: {', '.join(models)}"


def _notes(settings: list[list[dict[str, Any]]]) -> Iterator[str]:
    models: dict[str, list[str]] = {}
    for rows in settings:
        for row in rows:
            if pd.notna(row["notes"]) and row["model"] not in models.setdefault(row["notes"], []):
                models[row["notes"]].append(row["model"])
    yield from (f"Note on {', '.join(names)}: {note}" for note, names in models.items())
