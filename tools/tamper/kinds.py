"""Kinds of tampering with a study that has been run, and what the workflow must do about each."""

import json
import os
import shutil
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SETTING = "r_sine/seed0/toy/val/ground_truth"


@dataclass(frozen=True)
class Tampering:
    """A change of files in a checkout."""

    name: str
    change: Callable[[Path], None]
    reruns: frozenset[str]
    """Rules of which at least one job must be planned."""
    trains: bool = False
    """Whether trainings must be planned too; otherwise none may be."""
    answer: str = ""
    """Text that the log or the comparison must contain after the run; empty if the numbers are only computed again."""


def kinds() -> tuple[Tampering, ...]:
    """Return all kinds. They need a study of data set `toy` with variant `r_sine`, such as that of fault injection."""
    return (
        Tampering("validation image replaced", _image("val"), frozenset({"predict"}), trains=True),
        Tampering("training image replaced", _image("train"), frozenset(), trains=True),
        Tampering("annotations edited", _annotations, frozenset({"boxes", "predict", "evaluate"}), trains=True),
        Tampering(
            "weights exchanged", _weights, frozenset({"predict"}), answer="other weights than the training wrote"
        ),
        Tampering("boxes edited", _boxes, frozenset({"predict", "evaluate"})),
        Tampering(
            "predictions edited", _predictions, frozenset({"evaluate"}), answer="has changed since it was predicted"
        ),
        Tampering(
            "predictions of another protocol",
            _prediction_record,
            frozenset({"evaluate"}),
            answer="the predictions were made by another protocol",
        ),
        Tampering("AP edited", _metrics, frozenset({"compare"}), answer="states another AP than its matches give"),
        Tampering("matches edited", _matches, frozenset({"compare"}), answer="states another AP than its matches give"),
        Tampering(
            "run record edited",
            _run_record,
            frozenset({"compare"}),
            answer="trained with another recipe than the study's",
        ),
        Tampering("code of OKS changed", _oks, frozenset({"evaluate"})),
        Tampering("pretrained backbone replaced", _backbone, frozenset(), trains=True),
    )


@contextmanager
def old_times(*paths: Path) -> Any:
    """Restore the times of modification of files that the block changes."""
    before = {path: path.stat() for path in paths}
    yield
    for path, status in before.items():
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _image(split: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        first, second = sorted((folder / "resources" / "toy" / split / "images").iterdir())[:2]
        with old_times(first):
            shutil.copyfile(second, first)

    return change


def _json(path: Path, edit: Callable[[Any], object]) -> None:
    with old_times(path):
        content = json.loads(path.read_text())
        edit(content)
        path.write_text(json.dumps(content))


def _annotations(folder: Path) -> None:
    def edit(content: Any) -> None:
        content["annotations"][0]["keypoints"][0] += 5

    _json(folder / "resources" / "toy" / "val" / "annotations.json", edit)


def _weights(folder: Path) -> None:
    run = folder / "results" / "train" / "r_sine" / "seed0"
    best, last = run / "weights.safetensors", run / "last.safetensors"
    with old_times(best):
        content = bytearray(last.read_bytes())
        # If the last epoch was the best, both files have the same tensors.
        content[-1] ^= 1
        best.unlink()
        best.write_bytes(content)


def _boxes(folder: Path) -> None:
    path = folder / "results" / "boxes" / "toy" / "val" / "ground_truth.json"

    def edit(content: Any) -> None:
        content[0]["bbox"][2] += 9

    _json(path, edit)


def _predictions(folder: Path) -> None:
    def edit(content: Any) -> None:
        content[0]["score"] /= 2

    _json(folder / "results" / "predictions" / f"{SETTING}.json", edit)


def _prediction_record(folder: Path) -> None:
    def edit(content: Any) -> None:
        content["protocol"]["flip_test"] = not content["protocol"]["flip_test"]

    _json(folder / "results" / "predictions" / f"{SETTING}.record.json", edit)


def _metrics(folder: Path) -> None:
    def edit(content: Any) -> None:
        content["metrics"]["AP"] += 0.1

    _json(folder / "results" / "metrics" / f"{SETTING}.json", edit)


def _matches(folder: Path) -> None:
    path = folder / "results" / "metrics" / f"{SETTING}.npz"
    with old_times(path):
        with np.load(path) as arrays:
            content = dict(arrays)
        content["matched"] = ~content["matched"]
        np.savez_compressed(path, **content)


def _run_record(folder: Path) -> None:
    def edit(content: Any) -> None:
        content["recipe"]["training"]["sigma"] += 1

    _json(folder / "results" / "train" / "r_sine" / "seed0" / "run.json", edit)


def _oks(folder: Path) -> None:
    path = folder / "transpose" / "evaluation" / "matching.py"
    text = path.read_text()
    with old_times(path):
        path.write_text(text.replace("2 * sigmas", "3 * sigmas"))


def _backbone(folder: Path) -> None:
    for path in (folder / "transpose" / "models" / "pretrained").glob("*.safetensors"):
        with old_times(path):
            content = bytearray(path.read_bytes())
            content[-1] ^= 1
            path.write_bytes(content)
