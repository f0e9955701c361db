"""Time and memory of what is read whole of a split: annotations, an archive's directory, digests of images.

python -m benchmarks.split_scale 10000 100000
"""

import json
import resource
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.fresh_processes import in_fresh_processes, persons_to_measure
from benchmarks.random_data import random_annotations, write_annotations
from transpose.data.coco import load_annotations
from transpose.data.file_digests import FileDigests
from transpose.data.zip_reader import ZipFolder
from transpose.files import read_json, write_json
from transpose.skeleton import COCO_PERSON

_PERSONS_PER_IMAGE = 262_465 / 118_287
"""Annotated persons and images of COCO train2017."""
_OUTLINE = [123.45] * 60
"""About as long as the outlines in COCO's file, which has 238 MB."""
_READERS: dict[str, Callable[[Path], Any]] = {
    "annotations.json": lambda path: load_annotations(path, COCO_PERSON),
    "images.zip": lambda path: ZipFolder(path, "images"),
    "digests.json": FileDigests,
}
"""File -> what reads it."""
_MB = 1e6


@dataclass(frozen=True)
class FileScale:
    """What reading a file of a split takes."""

    name: str
    file_mb: float
    seconds: float
    peak_mb: float
    """Growth of the process's peak memory."""


def split_scale(persons: int) -> list[FileScale]:
    """Measure each file of a split of random persons, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        in_fresh_processes(partial(_write_split, Path(folder)), [persons])
        return [scale for name in _READERS for scale in in_fresh_processes(_read, [Path(folder) / name])]


def _read(path: Path) -> FileScale:
    before, start = _peak_bytes(), time.perf_counter()
    _READERS[path.name](path)
    seconds = time.perf_counter() - start
    return FileScale(path.name, path.stat().st_size / _MB, seconds, (_peak_bytes() - before) / _MB)


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _write_split(folder: Path, persons: int) -> None:
    """Write the files; images in the archive are empty."""
    images = max(1, round(persons / _PERSONS_PER_IMAGE))
    names = [f"{number:012d}.jpg" for number in range(images)]
    with zipfile.ZipFile(folder / "images.zip", "w") as archive:
        for name in names:
            archive.writestr(f"images/{name}", b"")
    # As kept next to the annotations of unpacked images: size, times and SHA-256.
    state = [160_000, 1_700_000_000_000_000_000, 1_700_000_000_000_000_000]
    digests = {f"resources/unpacked/train2017/{name}": [state, "0" * 64] for name in names}
    (folder / "digests.json").write_text(json.dumps(digests), encoding="utf-8")
    write_annotations(random_annotations(images, persons, 0, seed=0).annotations, folder / "annotations.json")
    content = read_json(folder / "annotations.json")
    for annotation in content["annotations"]:
        annotation["segmentation"] = [_OUTLINE]
    write_json(folder / "annotations.json", content, indent=None)


def main() -> None:
    """Print a line for each number of persons and file."""
    for persons in persons_to_measure("Time and memory of reading the files of a split by number of persons."):
        for one in split_scale(persons):
            print(
                f"{persons:>9,} persons   {one.name:<16}   {one.file_mb:8.1f} MB   {one.seconds:6.2f} s"
                f"   {one.peak_mb:8.1f} MB of memory"
            )


if __name__ == "__main__":
    main()
