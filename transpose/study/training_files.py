"""Runs of a study, and their initial or released weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from transpose.config.recipe import Recipe
from transpose.config.study import Study
from transpose.study.layout import ResourcesLayout, ResultsLayout, RunId
from transpose.study.rules import alternatives


@dataclass(frozen=True)
class TrainingFiles:
    """Runs and weights of the variants of a study."""

    study: Study
    recipes: Mapping[str, Recipe]
    layout: ResultsLayout
    resources: ResourcesLayout

    def runs(self) -> list[RunId]:
        """All runs; a released checkpoint has one, a trained variant one per seed."""
        return [
            RunId(variant, seed)
            for variant, seed in product(self.study.variants, range(self.study.seeds))
            if seed == 0 or self.recipes[variant].training.source == "trained"
        ]

    def names_of_trained(self) -> str:
        """Return a regular expression of trained variants; it matches nothing if there are none."""
        return alternatives(name for name, recipe in self.recipes.items() if recipe.training.source == "trained")

    def names_of_official(self) -> str:
        """Return a regular expression of variants with a released checkpoint; it matches nothing if there are none."""
        return alternatives(name for name, recipe in self.recipes.items() if recipe.training.source == "official")

    def records(self) -> list[Path]:
        """run.json of every run."""
        return [self.layout.train(run).record for run in self.runs()]

    def histories(self, run: RunId) -> list[Path]:
        """Training history of a run; none for a released checkpoint."""
        return [] if self.recipes[run.variant].training.source == "official" else [self.layout.train(run).history]

    def released_weights(self, variant: str) -> Path:
        """The released checkpoint of a variant, as safetensors."""
        return self.resources.weights(str(self.recipes[variant].variant.released))

    def backbone_weights(self, variant: str) -> list[str]:
        """Pretrained backbone weights of a variant, if any."""
        path = self.recipes[variant].training.backbone_weights
        return [path] if path else []

    def initial_weights(self, variant: str) -> list[str]:
        """Weights of the model that a variant is fine-tuned from, if any."""
        path = self.recipes[variant].training.initial_weights
        return [path] if path else []

    def image_cache_gb(self, variant: str) -> str:
        """GB of disk for decoded training images, as text because Snakemake resources are integers."""
        return str(self.recipes[variant].training.image_cache_gb)
