"""Checks of the splits that a study reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from transpose.config.dataset import Dataset, FolderSource
from transpose.config.recipe import Recipe
from transpose.config.study import Study
from transpose.study.layout import ResourcesLayout
from transpose.study.rules import alternatives


@dataclass(frozen=True)
class CheckFiles:
    """Check reports of a study's splits."""

    study: Study
    recipes: Mapping[str, Recipe]
    datasets: Mapping[str, Dataset]
    resources: ResourcesLayout

    def uses(self) -> dict[tuple[str, str], list[str]]:
        """Return the splits that are read, each (data set, split), and for what, in order of use."""
        study = self.study
        # The training data of released checkpoints are only recorded, not read.
        trained = any(recipe.training.source == "trained" for recipe in self.recipes.values())
        named = [("training", study.train), ("validation", study.validation)] if trained else []
        uses: dict[tuple[str, str], list[str]] = {}
        for use, split in (*named, *(("evaluation", evaluation) for evaluation in study.evaluations)):
            uses_of_split = uses.setdefault((split.dataset, split.split), [])
            if use not in uses_of_split:
                uses_of_split.append(use)
        return uses

    def report(self, dataset: str, split: str) -> Path:
        """The check of a split; splits in a user's folder are checked when they are imported."""
        if self._is_folder(dataset):
            return self.resources.imported(dataset, split).with_name("check.json")
        return self.resources.check(dataset, split)

    def inputs(self) -> list[Path]:
        """Return the outputs of the rules that check the study's splits."""
        return [
            self.resources.imported(*split) if self._is_folder(split[0]) else self.resources.check(*split)
            for split in self.uses()
        ]

    def names_of_others(self) -> str:
        """Return a regular expression of data sets that are not in a user's folders; it matches nothing if all are."""
        return alternatives(name for name in self.datasets if not self._is_folder(name))

    def _is_folder(self, dataset: str) -> bool:
        return isinstance(self.datasets[dataset].source, FolderSource)
