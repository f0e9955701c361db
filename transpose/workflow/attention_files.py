"""Files that attention is explained in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from transpose.config.recipe import Recipe
from transpose.config.study import Study
from transpose.workflow.places import Run, side_places


@dataclass(frozen=True)
class AttentionFiles:
    """Attention maps, explorers and measures of explanation of a study."""

    study: Study
    recipes: Mapping[str, Recipe]
    runs: Sequence[Run]
    """All of the study."""

    def measures(self, kind: str) -> list[str]:
        """Files of one kind of measures of attention; none where the study asks for none.

        Args:
            kind: the folder, such as `attention_statistics`.
        """
        return [f"{place}.json" for place in side_places(self.study.results, self.runs, kind, self.study.attention)]

    def explanations_of(self, variant: str, seed: int | str) -> list[str]:
        """Attention maps of one run on every evaluated split; none without an encoder."""
        if self.recipes[variant].variant.encoder is None:
            return []
        return [
            f"{self.study.results}/attention/{variant}/seed{seed}/{e.dataset}/{e.split}/maps.npz"
            for e in self.study.evaluations
        ]

    def explored_runs(self) -> list[str]:
        """run.json of the first seed of every variant with an encoder."""
        return [
            f"{self.study.results}/train/{variant}/seed0/run.json"
            for variant in self.study.variants
            if self.recipes[variant].variant.encoder is not None
        ]

    def explorers(self) -> list[str]:
        """Explorer page of every evaluated split; none where no variant has an encoder."""
        if not self.explored_runs():
            return []
        places = dict.fromkeys((e.dataset, e.split) for e in self.study.evaluations)
        return [f"{self.study.results}/explorer/{dataset}_{split}.html" for dataset, split in places]

    def faithfulness_figures(self) -> list[str]:
        """Figures of deletion and insertion."""
        places = self.study.attention.places() if self.study.attention else ()
        return [f"{self.study.results}/figures/faithfulness_{'_'.join(place)}.png" for place in places]

    def joint_figures(self) -> list[str]:
        """Figures of the attention between joints, one for each variant and place."""
        chosen = self.study.attention
        places = product(chosen.places(), chosen.variants) if chosen else ()
        return [
            f"{self.study.results}/figures/joint_attention_{'_'.join(place)}_{variant}.png" for place, variant in places
        ]
