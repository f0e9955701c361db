"""Annotation files of a study's splits, and what else of a data set rules ask for."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass

from transpose.config.dataset import Dataset, FolderSource, PhotographsSource, SyntheticSource
from transpose.config.study import Split, Study
from transpose.provenance import PACKAGE
from transpose.workflow.wildcards import BoxWildcards, alternatives

PHOTOGRAPHS = PACKAGE / "data" / "photographs"


@dataclass(frozen=True)
class DataFiles:
    """Files of the data sets of a study."""

    study: Study
    datasets: Mapping[str, Dataset]

    def annotations(self, wildcards: BoxWildcards) -> str:
        """Annotation file of the data set and split that the wildcards name."""
        return self.split_annotations(Split(dataset=wildcards.dataset, split=wildcards.split))

    def split_annotations(self, split: Split) -> str:
        """Annotation file of a split; its pictures are beside it, or where `pictures.json` beside it says."""
        source = self.datasets[split.dataset].source
        if isinstance(source, PhotographsSource):
            return os.path.relpath(PHOTOGRAPHS / "annotations.json")
        if isinstance(source, FolderSource) and not _is_sifted(self.datasets[split.dataset]):
            return f"{source.folders[split.split]}/annotations.json"
        return f"{self.study.resources}/{split.dataset}/{split.split}/annotations.json"

    def unsifted_annotations(self, wildcards: BoxWildcards) -> str:
        """Annotation file of a user's own split, out of which broken pictures are sifted."""
        source = self.datasets[wildcards.dataset].source
        if not isinstance(source, FolderSource):
            raise TypeError(f"{wildcards.dataset} is no folder")
        return f"{source.folders[wildcards.split]}/annotations.json"

    def part_labels(self, wildcards: BoxWildcards) -> list[str]:
        """Body part labels of the split that the wildcards name; none if it is not rendered."""
        if not isinstance(self.datasets[wildcards.dataset].source, SyntheticSource):
            return []
        return [f"{self.study.resources}/{wildcards.dataset}/{wildcards.split}/parts.npz"]

    def names_of_rendered(self) -> str:
        """Regular expression of the data sets that are rendered; it matches nothing if none is."""
        return alternatives(
            name for name, dataset in self.datasets.items() if isinstance(dataset.source, SyntheticSource)
        )

    def names_of_sifted(self) -> str:
        """Regular expression of the data sets whose broken pictures are left out; it matches nothing if none is."""
        return alternatives(name for name, dataset in self.datasets.items() if _is_sifted(dataset))

    def keypoints(self) -> int:
        """Keypoints of the models: those of the data set that they are trained on."""
        return len(self.datasets[self.study.train.dataset].skeleton)

    def learnt_from(self) -> str:
        """What of the training data set's configuration decides the weights, as canonical JSON."""
        dataset = self.datasets[self.study.train.dataset]
        return json.dumps(dataset.model_dump(mode="json", include={"skeleton", "evaluation"}), sort_keys=True)

    def training_data(self) -> str:
        """What the study trains on, in words."""
        return f"{self.datasets[self.study.train.dataset].title}, split {self.study.train.split}"


def _is_sifted(dataset: Dataset) -> bool:
    return isinstance(dataset.source, FolderSource) and dataset.source.broken_pictures == "skip"
