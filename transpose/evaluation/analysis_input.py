"""Inputs shared by all evaluations and analyses of a trained model, read from a results folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from transpose.config.base import Model, parse
from transpose.config.bootstrap import Bootstrap
from transpose.config.code_version import Origin
from transpose.config.dataset import Dataset
from transpose.config.load import read_record
from transpose.config.recipe import Recipe
from transpose.config.run_record import RunRecord
from transpose.config.study import EvalProtocol, EvalSetting
from transpose.data.boxes import PersonBoxes, read_boxes
from transpose.data.coco import CocoAnnotations, load_annotations
from transpose.data.file_digests import images_sha256
from transpose.errors import InputError
from transpose.evaluation.intervals import RESAMPLES, draws_of
from transpose.evaluation.subject import Subject
from transpose.files import atomic_paths, sha256_of_file, write_json, write_npz
from transpose.machine import describe_software
from transpose.provenance import code_version
from transpose.skeleton import Skeleton
from transpose.study.layout import RecordKind, ResultsLayout, RunFolder, RunId

if TYPE_CHECKING:
    from transpose.device import DeviceContext

_LIBRARIES = ("torch", "numpy", "opencv-python-headless", "pycocotools", "xtcocotools", "hotcoco")


@dataclass(frozen=True)
class AnalysisInput:
    """A trained model, the person boxes and annotations to evaluate on, and the protocol and bootstrap settings.

    Every file except the annotations is in the results folder and is read on first use. All properties and methods
    raise InputError if their file is missing or wrong.
    """

    layout: ResultsLayout
    run: RunId
    setting: EvalSetting
    annotations_file: Path
    entry: str
    """Dotted name of the module whose code decides the report; see `provenance`."""
    workers: int | None = None
    """Number of processes that load images; by default the recipe's."""

    @property
    def run_folder(self) -> RunFolder:
        """Files of the training run."""
        return self.layout.train(self.run)

    @property
    def boxes_file(self) -> Path:
        """File of the person boxes."""
        return self.layout.boxes(self.setting)

    @property
    def predictions_file(self) -> Path:
        """File of the model's predictions for these boxes."""
        return self.layout.predictions(self.run, self.setting)

    @property
    def prediction_record(self) -> Path:
        """File that states what the predictions were made from."""
        return self.layout.prediction_record(self.run, self.setting)

    @cached_property
    def trained(self) -> RunRecord:
        """The record of the training run."""
        return read_record(RunRecord, self.run_folder.record)

    @property
    def recipe(self) -> Recipe:
        """The training recipe, from the run record."""
        return self.trained.recipe.with_loader_settings(self.workers)

    @cached_property
    def dataset(self) -> Dataset:
        """The data set."""
        return read_dataset(self.layout, self.setting)

    @property
    def skeleton(self) -> Skeleton:
        """The data set's keypoints."""
        return self.dataset.skeleton

    @cached_property
    def protocol(self) -> EvalProtocol:
        """The study's evaluation protocol."""
        return read_record(EvalProtocol, self.layout.record(RecordKind.PROTOCOL))

    @property
    def torch_protocol(self) -> EvalProtocol:
        """The protocol of results that always come from PyTorch, which its key `runtime` does not decide."""
        return self.protocol.model_copy(update={"runtime": "torch"})

    @cached_property
    def bootstrap(self) -> Bootstrap:
        """The study's bootstrap settings."""
        return read_record(Bootstrap, self.layout.record(RecordKind.BOOTSTRAP))

    @cached_property
    def annotations(self) -> CocoAnnotations:
        """The annotations of the split."""
        return load_annotations(self.annotations_file, self.skeleton)

    @cached_property
    def boxes(self) -> PersonBoxes:
        """The person boxes."""
        return read_boxes(self.boxes_file)

    @cached_property
    def subject(self) -> Subject:
        """Model, data set and boxes of a report, with the digests of their files."""
        trained = self.trained
        values = {
            "variant": trained.variant,
            "title": trained.title,
            "seed": trained.seed,
            "initialisation": trained.initialisation,
            **self.setting._asdict(),
            "dataset_title": self.dataset.title,
            "boxes_kind": self.dataset.boxes[self.setting.boxes].kind,
            "box_count": len(self.boxes),
            "weights_sha256": sha256_of_file(self.run_folder.weights),
            "annotations_sha256": sha256_of_file(self.annotations_file),
            "boxes_sha256": sha256_of_file(self.boxes_file),
            "images_sha256": images_sha256(self.annotations_file),
            "origin": Origin(code=code_version(self.entry), environment=describe_software(_LIBRARIES)),
        }
        return parse(Subject, values, f"{self.run_folder.folder} on {self.setting}")

    def settings(self, kind: RecordKind, model: type[Model]) -> Model:
        """Return the study's settings of an analysis."""
        return read_record(model, self.layout.record(kind))


def read_dataset(layout: ResultsLayout, setting: EvalSetting) -> Dataset:
    """Read the data set of an evaluation setting.

    Raises:
        InputError: its record is missing or wrong, or it has no such box source.
    """
    path = layout.record(RecordKind.DATASET, setting.dataset)
    dataset = read_record(Dataset, path)
    if setting.boxes not in dataset.boxes:
        problem = f"no box source {setting.boxes!r}; known are {', '.join(dataset.boxes)}"
        raise InputError(problem, file=path, field="boxes")
    return dataset


def write_report(
    path: Path,
    model: type[Subject],
    inputs: AnalysisInput,
    values: Mapping[str, object],
    arrays: Mapping[str, np.ndarray] | None = None,
    context: "DeviceContext | None" = None,
) -> None:
    """Write a report of class `model` on the subject of `inputs`, and its arrays to the same path with suffix .npz.

    The resamples of its estimates, which intervals over several trainings are computed from, are another array of this
    file; see `draws_of`.

    Args:
        values: fields of the report, without those of `Subject`.
        context: where the network ran, if one did.

    Raises:
        InputError: a file of the subject is missing or wrong, or a value does not fit the report.
    """
    subject = inputs.subject
    if context is not None:
        ran = {"dtype": context.dtype, "threads": context.threads}
        subject = subject.model_copy(update={"origin": subject.origin.model_copy(update=ran)})
    report = parse(model, subject.model_dump() | dict(values), path)
    content, draws = report.model_dump(mode="json"), draws_of(report)
    arrays = {**(arrays or {}), **({RESAMPLES: draws} if len(draws) else {})}
    if not arrays:
        write_json(path, content)
        return
    with atomic_paths(path.with_suffix(".npz"), path) as (arrays_file, report_file):
        write_npz(arrays_file, **arrays)
        write_json(report_file, content)
