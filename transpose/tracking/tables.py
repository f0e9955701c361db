"""Tables of a training's evaluations, as MLflow shows them: what is too much for metrics."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Table = dict[str, list[Any]]
"""`columns` has the names and `data` the rows: the form of `mlflow.log_table`."""

_SETTING = ("dataset", "split", "boxes")


def evaluation_tables(records: Sequence[Mapping[str, Any]]) -> dict[str, Table]:
    """Return tables of all evaluations, of keypoints and of AP by crowd index, by file name; empty ones are left out.

    Args:
        records: contents of metrics files.
    """
    rows = {
        "evaluations.json": [_evaluation(record) for record in records],
        "keypoints.json": [row for record in records for row in _with_setting(record, record["keypoints"])],
        "crowding.json": [row for record in records for row in _with_setting(record, _crowding(record))],
    }
    return {name: _table(content) for name, content in rows.items() if content}


def _evaluation(record: Mapping[str, Any]) -> dict[str, Any]:
    low, high = record["interval"] or (None, None)
    metric = record.get("metric", "AP")
    numbers = {f"{metric}_low": low, f"{metric}_high": high} | record["metrics"]
    counts = {key: record[key] for key in ("images", "persons", "predictions")}
    runtime = {"runtime": f"{record['runtime']['name']} {record['runtime']['version']}"}
    return {key: record[key] for key in _SETTING} | {metric: record["metrics"][metric]} | numbers | counts | runtime


def _crowding(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for level, numbers in (record.get("crowding") or {}).items():
        yield {"crowding": level} | numbers


def _with_setting(record: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        yield {key: record[key] for key in _SETTING} | dict(row)


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    return {"columns": columns, "data": [[row.get(column) for column in columns] for row in rows]}
