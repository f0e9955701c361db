"""Data of a fine-tuning: two splits of a data set as plain COCO, or one split of which images are held out."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from transpose.config.dataset import Dataset, FolderSource
from transpose.data.coco import CocoAnnotations, load_annotations, training_instances
from transpose.data.image_source import point_to_images_of
from transpose.data.import_split import import_split
from transpose.errors import InputError
from transpose.files import read_json, write_json
from transpose.study.data_files import split_files
from transpose.study.layout import ResourcesLayout
from transpose.training.data import TrainingData

HELD_OUT_SHARE = 0.2
"""Share of the images with labelled persons that are held out for validation if no split is given."""


@dataclass(frozen=True)
class Splits:
    """The splits of a labelled data set, and where they are found and written."""

    name: str
    dataset: Dataset
    folder: Path
    """Where imported and divided annotation files are written."""
    resources: ResourcesLayout
    """Where rendered and downloaded splits are."""
    jobs: int
    """Images read in parallel."""

    def prepare(self, train: str | None, validation: str | None, report: Callable[[str], None]) -> TrainingData:
        """Return the annotation files to train and to validate on.

        Args:
            train: name of a split; None takes `train`, or the only split.
            validation: name of a split; None holds out images of the split to train on.
            report: called with lines about what is used.

        Raises:
            InputError: a split does not exist or has no labelled person, or its files are missing or wrong.
        """
        chosen = train or self._default_split()
        if validation == chosen:
            raise InputError(f"is the split to train on, {chosen!r}", file=self.name, field="validation")
        annotations = self._annotations(chosen)
        if validation is None:
            data = self._hold_out(annotations)
            report(f"no split for validation was given: {HELD_OUT_SHARE:.0%} of the images of {chosen!r} are held out")
        else:
            data = self._data(annotations, self._annotations(validation))
        for role, path in {"train": data.train, "validation": data.validation}.items():
            found = load_annotations(path, self.dataset.skeleton)
            report(f"{role}: {len(training_instances(found))} labelled persons in {len(found.images)} images")
        return data

    def _data(self, train: Path, validation: Path) -> TrainingData:
        return TrainingData(train, validation, self.dataset.skeleton, self.dataset.evaluation)

    def _default_split(self) -> str:
        splits = self.dataset.splits
        if "train" in splits:
            return "train"
        if len(splits) == 1:
            return splits[0]
        raise InputError(f"name the split to train on, one of {', '.join(splits)}", file=self.name, field="train")

    def _annotations(self, split: str) -> Path:
        """Return the annotation file of a split as plain COCO, which is imported from a user's folder."""
        if split not in self.dataset.splits:
            known = ", ".join(self.dataset.splits)
            raise InputError(f"no split {split!r}; known are {known}", file=self.name)
        if isinstance(self.dataset.source, FolderSource):
            path = self.folder / "imported" / split / "annotations.json"
            import_split(self.dataset, split, self.jobs, path)
            return path
        path = split_files(self.name, self.dataset, self.resources)[split]
        if not path.is_file():
            raise InputError("no such file; a study on this data set renders or downloads it", file=path)
        if not len(training_instances(load_annotations(path, self.dataset.skeleton))):
            raise InputError("no person has a labelled keypoint", file=path)
        return path

    def _hold_out(self, annotations: Path) -> TrainingData:
        """Divide a split in two.

        Images are chosen by a digest of their names, so that most stay where they are when images are added.
        """
        names = _names_of_labelled(load_annotations(annotations, self.dataset.skeleton))
        if len(names) < 2:
            problem = "labelled persons are in a single image, and the validation needs another one"
            raise InputError(problem, file=annotations, field="images")
        order = sorted(names, key=lambda image_id: hashlib.sha256(names[image_id].encode()).digest())
        held_out = set(order[: max(1, round(HELD_OUT_SHARE * len(order)))])
        return self._data(
            self._part("train", annotations, names.keys() - held_out),
            self._part("held_out", annotations, held_out),
        )

    def _part(self, name: str, annotations: Path, ids: set[int]) -> Path:
        """Write the images of some ids with their annotations."""
        content, path = read_json(annotations), self.folder / name / "annotations.json"
        content["images"] = [image for image in content["images"] if image["id"] in ids]
        content["annotations"] = [record for record in content["annotations"] if record["image_id"] in ids]
        write_json(path, content, indent=None)
        point_to_images_of(path, annotations)
        return path


def _names_of_labelled(annotations: CocoAnnotations) -> dict[int, str]:
    """Return file names by id of the images with labelled persons."""
    ids = np.unique(training_instances(annotations).image_ids)
    positions = annotations.images.find(ids)
    return {int(image_id): annotations.images.file_names[at] for image_id, at in zip(ids, positions, strict=True)}
