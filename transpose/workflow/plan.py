"""A study with all that its configuration names, and the files that it is made of."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from transpose.config.attention import AttentionMeasures
from transpose.config.base import Settings, parse
from transpose.config.dataset import Dataset
from transpose.config.load import load_dataset, load_recipe
from transpose.config.precision import Precisions
from transpose.config.recipe import Recipe
from transpose.config.records import values_of_record
from transpose.config.resolution import InputSizes
from transpose.config.study import Study
from transpose.workflow.archive_files import ArchiveFiles
from transpose.workflow.attention_files import AttentionFiles
from transpose.workflow.box_files import BoxFiles
from transpose.workflow.checks import check_study
from transpose.workflow.data_files import DataFiles
from transpose.workflow.evaluation_files import EvaluationFiles
from transpose.workflow.training_files import TrainingFiles


@dataclass(frozen=True)
class Plan:
    """A validated study with its variants' recipes and its data sets."""

    study: Study
    recipes: Mapping[str, Recipe]
    datasets: Mapping[str, Dataset]

    @classmethod
    def of_config(cls, values: object, folder: Path, source: str = "study") -> "Plan":
        """Validate a study's values and read what it names from `folder`/variants and `folder`/datasets.

        Args:
            source: the study's file, for messages.

        Raises:
            InputError: a key is unknown or wrong, or a variant, data set, split or box source does not exist.
        """
        study = parse(Study, values, source)
        recipes = {name: load_recipe(study, name, folder / "variants", source) for name in study.variants}
        used = (study.train, study.validation, *study.evaluations, *study.submissions)
        datasets = {split.dataset: load_dataset(split.dataset, folder / "datasets") for split in used}
        check_study(study, recipes, datasets, source)
        return cls(study, recipes, datasets)

    @property
    def data(self) -> DataFiles:
        """Annotation files."""
        return DataFiles(self.study, self.datasets)

    @property
    def archives(self) -> ArchiveFiles:
        """Downloaded archives."""
        return ArchiveFiles(self.study, self.recipes, self.datasets)

    @property
    def boxes(self) -> BoxFiles:
        """Person boxes."""
        return BoxFiles(self.study, self.datasets)

    @property
    def training(self) -> TrainingFiles:
        """Runs and their weights."""
        return TrainingFiles(self.study, self.recipes)

    @property
    def evaluation(self) -> EvaluationFiles:
        """What runs are evaluated into."""
        return EvaluationFiles(self.study, self.datasets, self.training.runs())

    @property
    def attention(self) -> AttentionFiles:
        """Explanations of runs."""
        return AttentionFiles(self.study, self.recipes, self.training.runs())

    def record(self, kind: str, name: str) -> str:
        """Canonical JSON of a resolved block of configuration: the same text for the same values."""
        blocks: Mapping[str, Mapping[str, Settings]] = {
            "recipes": self.recipes,
            "datasets": self.datasets,
            "protocols": {"study": self.study.protocol},
            "costs": {"study": self.study.cost},
            "explanations": {"study": self.study.explanation},
            "attention": _attention_measures(self.study),
            "resolutions": _input_sizes(self.study),
            "precisions": _precisions(self.study),
            "studies": {self.study.name: self.study},
        }
        return json.dumps(values_of_record(blocks[kind][name]), sort_keys=True)


def _attention_measures(study: Study) -> Mapping[str, Settings]:
    """What decides the measures of attention; which variants are looked at does not."""
    chosen = study.attention
    if chosen is None:
        return {}
    return {"study": AttentionMeasures(**chosen.model_dump(include=set(AttentionMeasures.model_fields)))}


def _input_sizes(study: Study) -> Mapping[str, Settings]:
    """What decides the figures at other sizes; which variants are looked at does not."""
    chosen = study.resolutions
    return {} if chosen is None else {"study": InputSizes(sizes=chosen.sizes, position=chosen.position)}


def _precisions(study: Study) -> Mapping[str, Settings]:
    """What decides the figures in cheaper arithmetic; which variants are looked at does not."""
    chosen = study.precisions
    return {} if chosen is None else {"study": Precisions(precisions=chosen.precisions)}
