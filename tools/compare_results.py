"""Compare the results of a study made by an older commit with those made now: `compare_results.py OLD NEW`.

Weights, predictions and arrays must have equal bytes or values, reports and tables equal values under equal names; what
was renamed in between is stated below. Prints a line for each difference, then the counts; status 1 if there is one.
"""

import csv
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

RENAMED_FOLDERS = {"protocols": "protocol_ablation"}
"""Folders of reports: old name, new name."""

RENAMED_RUN_KEYS = {
    "variant": "recipe.name",
    "title": "recipe.variant.title",
    "recipe": "recipe",
    "seed": "seed",
    "initialisation": "initialisation",
    "parameters": "parameters",
    "trainable_parameters": "trainable_parameters",
    "backbone_sha256": "training.backbone_sha256",
    "initial_weights_sha256": "training.initial_weights_sha256",
    "best_epoch": "training.best_epoch",
    "best_AP": "training.best_value",
    "best_PCKh50": "training.best_value",
    "persons": "training.persons",
    "data": "training.data",
}
"""Keys of run.json that do not change from run to run: old name, new place."""

CHANGING = {"machine", "timings", "seconds"}
"""Keys of reports that differ between two runs of one commit."""

REPORTS = (
    "metrics",
    "boxes",
    "box_ap",
    "protocols",
    "resolutions",
    "precision",
    "attention_statistics",
    "faithfulness",
    "attention_ablation",
    "body_parts",
)
TIMED_COLUMNS = ("images_per_second", "milliseconds", "memory", "ms_", "device")
"""Parts of names of table columns that a clock or a machine filled."""


def main(old: Path, new: Path) -> int:
    """Print what differs and what was compared; 1 if something differs."""
    problems: list[str] = []
    counts = dict.fromkeys(("weights", "run.json", "predictions", "reports", "arrays", "tables"), 0)
    for path in sorted((old / "train").rglob("*.safetensors")):
        counts["weights"] += 1
        twin = new / path.relative_to(old)
        if not twin.is_file() or twin.read_bytes() != path.read_bytes():
            problems.append(f"{path.relative_to(old)}: other bytes")
    for path in sorted((old / "train").rglob("run.json")):
        counts["run.json"] += 1
        problems += compare_runs(path, new / path.relative_to(old))
    for path in sorted((old / "predictions").rglob("*.json")):
        counts["predictions"] += 1
        twin = new / path.relative_to(old)
        if not twin.is_file() or twin.read_bytes() != path.read_bytes():
            problems.append(f"{path.relative_to(old)}: other bytes")
    for folder in REPORTS:
        for path in sorted((old / folder).rglob("*.json")):
            counts["reports"] += 1
            twin = new / RENAMED_FOLDERS.get(folder, folder) / path.relative_to(old / folder)
            problems += compare_json(path, twin)
    for path in sorted(old.rglob("*.npz")):
        counts["arrays"] += 1
        problems += compare_arrays(path, new / path.relative_to(old))
    for path in sorted(old.glob("*.csv")):
        counts["tables"] += 1
        problems += compare_tables(path, new / path.name)
    print("\n".join(problems))
    print(", ".join(f"{count} {name}" for name, count in counts.items()), f"- {len(problems)} differences")
    return 1 if problems or not counts["weights"] else 0


def compare_runs(old: Path, new: Path) -> Iterator[str]:
    """Differences of two run.json, by `RENAMED_RUN_KEYS`."""
    before, after = json.loads(old.read_text()), json.loads(new.read_text())
    for key, place in RENAMED_RUN_KEYS.items():
        if key in before:
            value = after
            for part in place.split("."):
                value = value[part]
            if value != before[key]:
                yield f"{old}: {key}: {before[key]} became {value}"


def compare_json(old: Path, new: Path) -> Iterator[str]:
    """Differences of two reports."""
    if not new.is_file():
        yield f"{new}: missing"
        return
    yield from compare_values(json.loads(old.read_text()), json.loads(new.read_text()), str(old))


def compare_values(old: object, new: object, where: str) -> Iterator[str]:
    """Differences of two JSON values; keys that were added are not one, keys that are gone are."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key, value in old.items():
            if key not in CHANGING:
                yield from (
                    compare_values(value, new[key], f"{where}: {key}") if key in new else [f"{where}: {key} gone"]
                )
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from compare_values(a, b, f"{where}[{index}]")
    elif old != new:
        yield f"{where}: {old} became {new}"


def compare_arrays(old: Path, new: Path) -> Iterator[str]:
    """Differences of two files of arrays."""
    if not new.is_file():
        yield f"{new}: missing"
        return
    with np.load(old) as before, np.load(new) as after:
        for name in before.files:
            floats = np.issubdtype(before[name].dtype, np.floating)
            if name not in after.files or not np.array_equal(before[name], after[name], equal_nan=floats):
                yield f"{old}: {name}: other values"


def compare_tables(old: Path, new: Path) -> Iterator[str]:
    """Differences of two CSV files by the names of columns, whose order may change; times and memory aside."""
    with old.open(newline="") as first, new.open(newline="") as second:
        before, after = list(csv.DictReader(first)), list(csv.DictReader(second))
    if len(before) != len(after):
        yield f"{old}: {len(before)} rows became {len(after)}"
        return
    for number, (a, b) in enumerate(zip(before, after, strict=True)):
        for column, value in a.items():
            if any(part in column for part in TIMED_COLUMNS):
                continue
            if column not in b:
                yield f"{old}: column {column} gone"
            elif not _same_cell(value, b[column]):
                yield f"{old}: row {number}: {column}: {value} became {b[column]}"


def _same_cell(old: str, new: str) -> bool:
    try:
        a, b = float(old), float(new)
    except ValueError:
        return old == new
    return a == b or (math.isnan(a) and math.isnan(b))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
