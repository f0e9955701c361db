"""Downloaded archives that splits are extracted from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from transpose.config.dataset import ArchivedSplit, ArchivesSource, Dataset
from transpose.config.recipe import Recipe
from transpose.config.study import Study
from transpose.study.layout import ResourcesLayout
from transpose.study.wildcards import BoxWildcards, alternatives


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
