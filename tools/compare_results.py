"""Compare the results of a study at an older commit with those of this one: `compare_results.py OLD NEW`.

Weights and predictions must have equal bytes; arrays, reports, run records and tables equal values under equal names.
Names that changed in between are listed in `RENAMED`. Print a line per difference, then counts; exit 1 on a difference.
"""

import csv
import json
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

RENAMED = (
    ("r_none", "r_no_position"),
    ("findings", "claims"),
    ("explorer", "viewer"),
    (r"\bprecision\b", "dtypes"),
    (r"\bprecisions\b", "dtypes"),
    ("second_opinion", "reference_check"),
    ("largest_disagreement", "max_abs_difference"),
    ("foretelling", "occlusion_correlations"),
    ("said_by", "explained_by"),
    ("foretold", "occlusion_correlation"),
    ("nearness|locality", "distance"),
    (r"\btrial\b", "test"),
    ("picture_cache_gb", "image_cache_gb"),
    ("picture_persons", "occlusion_persons"),
    ("broken_pictures", "unreadable_images"),
    ("picture", "image"),
    ("(?<!^)joint(?!_weights)|^joint(?!_weights)", "keypoint"),
)
"""Regular expressions of old names, in paths, keys and text, and the new names."""

CHANGING = {"machine", "timings", "seconds", "session", "code", "files", "finished", "created"}
"""Keys whose values differ between two runs of one commit."""

REPORTS = (
    "metrics",
    "boxes",
    "box_ap",
    "protocol_ablation",
    "resolutions",
    "precision",
    "dtypes",
    "attention_statistics",
    "faithfulness",
    "attention_ablation",
    "body_parts",
)
TIMED_COLUMNS = ("images_per_second", "milliseconds", "memory", "ms_", "device")
"""Parts of the names of table columns that depend on the clock or the machine."""


def renamed(name: str) -> str:
    """A name of the older commit as it is called now."""
    for old, new in RENAMED:
        name = re.sub(old, new, name)
    return name


def main(old: Path, new: Path) -> int:
    """Print what differs and what was compared; 1 if something differs."""
    problems: list[str] = []
    counts: dict[str, int] = dict.fromkeys(("weights", "run records", "predictions", "reports", "arrays", "tables"), 0)

    def compare(kind: str, paths: Iterator[Path]) -> Iterator[tuple[Path, Path]]:
        for path in sorted(paths):
            counts[kind] += 1
            twin = new / renamed(str(path.relative_to(old)))
            if twin.is_file():
                yield path, twin
            else:
                problems.append(f"{twin}: missing")

    for kind, paths in (
        ("weights", (old / "train").rglob("*.safetensors")),
        ("predictions", (old / "predictions").rglob("*.json")),
    ):
        problems += [f"{a}: other bytes" for a, b in compare(kind, paths) if a.read_bytes() != b.read_bytes()]
    reports = (path for folder in REPORTS for path in (old / folder).rglob("*.json"))
    for kind, paths in (("run records", (old / "train").rglob("run.json")), ("reports", reports)):
        for a, b in compare(kind, paths):
            problems += compare_values(json.loads(a.read_text()), json.loads(b.read_text()), str(a))
    for a, b in compare("arrays", old.rglob("*.npz")):
        problems += compare_arrays(a, b)
    for a, b in compare("tables", old.glob("*.csv")):
        problems += compare_tables(a, b)
    print("\n".join(problems))
    print(", ".join(f"{count} {name}" for name, count in counts.items()), f"- {len(problems)} differences")
    return 1 if problems or not counts["weights"] else 0


def compare_values(old: object, new: object, where: str) -> Iterator[str]:
    """Differences of two JSON values. A new key is not a difference, a missing one is."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key, value in old.items():
            now = key if key in new else renamed(key).replace("dtypes", "dtype" if "dtype" in new else "dtypes")
            if key in CHANGING:
                continue
            yield from compare_values(value, new[now], f"{where}: {key}") if now in new else [f"{where}: {key} gone"]
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from compare_values(a, b, f"{where}[{index}]")
    elif old != new and not (isinstance(old, str) and renamed(old) == new):
        yield f"{where}: {old} became {new}"


def compare_arrays(old: Path, new: Path) -> Iterator[str]:
    """Differences of two files of arrays."""
    with np.load(old) as before, np.load(new) as after:
        for name in before.files:
            now = name if name in after.files else renamed(name)
            floats = np.issubdtype(before[name].dtype, np.floating)
            if now not in after.files or not np.array_equal(before[name], after[now], equal_nan=floats):
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
            now = column if column in b else renamed(column).replace("dtypes", "dtype")
            if now not in b:
                yield f"{old}: column {column} gone"
            elif not _same_cell(value, b[now]):
                yield f"{old}: row {number}: {column}: {value} became {b[now]}"


def _same_cell(old: str, new: str) -> bool:
    try:
        a, b = float(old), float(new)
    except ValueError:
        return old == new or renamed(old) == new
    return a == b or (math.isnan(a) and math.isnan(b))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
