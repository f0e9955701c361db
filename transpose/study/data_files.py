"""Files of a study's data sets: annotations and archives, and digests of data set configuration."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from transpose.config.dataset import (
    ArchivedSplit,
    ArchivesSource,
    Dataset,
    FolderSource,
    PhotographsSource,
    SyntheticSource,
)
from transpose.config.recipe import Recipe
from transpose.config.study import Split, Study
from transpose.provenance import PACKAGE
from transpose.study.layout import ResourcesLayout
from transpose.study.rules import BoxWildcards, alternatives, digest_of

PHOTOGRAPHS = PACKAGE / "data" / "photographs"


@dataclass(frozen=True)
class DataFiles:
    """Files of the data sets of a study."""

    study: Study
    datasets: Mapping[str, Dataset]
    resources: ResourcesLayout

    def annotations(self, wildcards: BoxWildcards) -> str:
        """Annotation file of the data set and split in the wildcards."""
        return self.split_annotations(Split(dataset=wildcards.dataset, split=wildcards.split))

    def split_annotations(self, split: Split) -> str:
        """Annotation file of a split; `data.image_source.image_source_of` finds its images."""
        source = self.datasets[split.dataset].source
        if isinstance(source, PhotographsSource):
            return os.path.relpath(PHOTOGRAPHS / "annotations.json")
        if isinstance(source, FolderSource):
            return str(self.resources.imported(split.dataset, split.split))
        return str(self.resources.annotations(split.dataset, split.split))

    def folder_annotations(self, wildcards: BoxWildcards) -> str:
        """A user's own annotation file, before it is imported."""
        source = self.datasets[wildcards.dataset].source
        if not isinstance(source, FolderSource):
            raise TypeError(f"{wildcards.dataset} is no folder")
        return f"{source.folders[wildcards.split]}/{source.annotations}"

    def part_labels(self, wildcards: BoxWildcards) -> list[Path]:
        """Body part labels of the split in the wildcards; none if it is not rendered."""
        if not isinstance(self.datasets[wildcards.dataset].source, SyntheticSource):
            return []
        return [self.resources.part_labels(wildcards.dataset, wildcards.split)]

    def names_of_rendered(self) -> str:
        """Return a regular expression of rendered data sets; it matches nothing if there are none."""
        return alternatives(
            name for name, dataset in self.datasets.items() if isinstance(dataset.source, SyntheticSource)
        )

    def names_of_folders(self) -> str:
        """Return a regular expression of data sets in a user's folders; it matches nothing if there are none."""
        return alternatives(name for name, dataset in self.datasets.items() if isinstance(dataset.source, FolderSource))

    def keypoints(self) -> int:
        """Number of keypoints of the models: that of the training data set."""
        return len(self.datasets[self.study.train.dataset].skeleton)

    def source_key(self, wildcards: BoxWildcards) -> str:
        """Digest of a data set's source."""
        return _named(self.datasets[wildcards.dataset].source.model_dump(mode="json"))

    def import_key(self, wildcards: BoxWildcards) -> str:
        """Digest of the settings that affect how a data set in folders is imported."""
        dataset = self.datasets[wildcards.dataset]
        settings = dataset.model_dump(mode="json", include={"source", "category", "keypoint_fields", "orientation"})
        return _named([settings, dataset.skeleton.keypoints])

    def prediction_key(self, wildcards: BoxWildcards) -> str:
        """Digest of the data set settings that affect predictions in given boxes: skeleton and evaluation."""
        return self._key(wildcards.dataset, "skeleton", "evaluation")

    def skeleton_key(self, wildcards: BoxWildcards) -> str:
        """Digest of a data set's skeleton."""
        return self._key(wildcards.dataset, "skeleton")

    def boxes_key(self, wildcards: BoxWildcards) -> str:
        """Digest of the data set settings that affect the boxes of one source and their report."""
        source = self.datasets[wildcards.dataset].boxes[wildcards.boxes]
        key = self._key(wildcards.dataset, "title", "skeleton", "evaluation")
        return _named([key, source.model_dump(mode="json")])

    def training_data_key(self) -> str:
        """Digest of the settings of the training data set that affect the weights: skeleton and evaluation."""
        return self._key(self.study.train.dataset, "skeleton", "evaluation")

    def training_data(self) -> str:
        """Text that describes the training data."""
        return f"{self.datasets[self.study.train.dataset].title}, split {self.study.train.split}"

    def _key(self, dataset: str, *fields: str) -> str:
        return _named(self.datasets[dataset].model_dump(mode="json", include=set(fields)))


def _named(values: object) -> str:
    """Return the digest of data set settings as a parameter of a rule."""
    return f"dataset:{digest_of(values)}"


@dataclass(frozen=True)
class ArchiveFiles:
    """Archives of a study and the splits extracted from them."""

    study: Study
    recipes: Mapping[str, Recipe]
    datasets: Mapping[str, Dataset]
    resources: ResourcesLayout

    def split(self, wildcards: BoxWildcards) -> ArchivedSplit:
        """Return the position in downloaded archives of the split that the wildcards name.

        Raises:
            KeyError: the data set does not come from archives.
        """
        source = self.datasets[wildcards.dataset].source
        if not isinstance(source, ArchivesSource):
            raise KeyError(wildcards.dataset)
        return source.splits[wildcards.split]

    def needed_for(self, wildcards: BoxWildcards) -> list[Path]:
        """Return the inputs for extracting a split: verified archives, and unpacked images if images are unpacked."""
        split, resources = self.split(wildcards), self.resources
        images = resources.manifest if self._unpacks(wildcards.dataset) else resources.archive_digest
        return [resources.archive_digest(split.annotations), images(split.images)]

    def of_study(self) -> dict[str, bool]:
        """Return the archives of the study's splits, and whether each is unpacked."""
        study, used = self.study, {}
        # The training data of released checkpoints are only recorded, not downloaded.
        trained = any(recipe.training.source == "trained" for recipe in self.recipes.values())
        for split in (*((study.train, study.validation) if trained else ()), *study.evaluations, *study.submissions):
            source = self.datasets[split.dataset].source
            if isinstance(source, ArchivesSource):
                used.setdefault(source.splits[split.split].annotations, False)
                used[source.splits[split.split].images] = source.images == "unpacked"
        return used

    def unpacked_option(self, wildcards: BoxWildcards) -> list[str]:
        """Return the option with the folder of unpacked archives; none if images are read from the archive."""
        return [f"--unpacked={self.resources.unpacked}"] if self._unpacks(wildcards.dataset) else []

    def names_of_data_sets(self) -> str:
        """Return a regular expression of data sets from archives; it matches nothing if there are none."""
        return alternatives(
            name for name, dataset in self.datasets.items() if isinstance(dataset.source, ArchivesSource)
        )

    def _unpacks(self, dataset: str) -> bool:
        source = self.datasets[dataset].source
        return isinstance(source, ArchivesSource) and source.images == "unpacked"


def split_files(name: str, dataset: Dataset, resources: ResourcesLayout) -> dict[str, Path]:
    """Return the annotation files of all splits of a data set; those that are rendered or downloaded may not exist."""
    source = dataset.source
    if isinstance(source, FolderSource):
        return {split: Path(folder) / source.annotations for split, folder in source.folders.items()}
    if isinstance(source, PhotographsSource):
        return dict.fromkeys(dataset.splits, PHOTOGRAPHS / "annotations.json")
    return {split: resources.annotations(name, split) for split in dataset.splits}
