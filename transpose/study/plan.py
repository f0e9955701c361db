"""A study with its recipes and data sets, and the paths of its files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transpose.config.analyses import Dtypes, InputSizes
from transpose.config.attention import AttentionMeasures
from transpose.config.base import Model, Settings, parse
from transpose.config.dataset import Dataset
from transpose.config.load import load_dataset, load_recipe
from transpose.config.recipe import Recipe
from transpose.config.study import Study
from transpose.files import write_json
from transpose.study.box_files import BoxFiles
from transpose.study.check_files import CheckFiles
from transpose.study.checks import check_names, check_study
from transpose.study.data_files import ArchiveFiles, DataFiles
from transpose.study.destination import TrackingDestination
from transpose.study.evaluation_files import EvaluationFiles
from transpose.study.layout import RecordKind, ResourcesLayout, ResultsLayout
from transpose.study.rules import digest_of
from transpose.study.training_files import TrainingFiles


@dataclass(frozen=True)
class Plan:
    """A validated study with its variants' recipes and its data sets."""

    study: Study
    recipes: Mapping[str, Recipe]
    datasets: Mapping[str, Dataset]

    @classmethod
    def of_config(cls, values: object, folder: Path, source: str = "study") -> "Plan":
        """Validate a study, and read its variants and data sets from `folder`/variants and `folder`/datasets.

        Args:
            source: the study's file, for messages.

        Raises:
            InputError: a key is unknown or wrong, or a variant, data set, split or box source does not exist.
        """
        study = parse(Study, values, source)
        check_names(study, folder, source)
        recipes = {name: load_recipe(study, name, folder / "variants", source) for name in study.variants}
        datasets = {split.dataset: load_dataset(split.dataset, folder / "datasets") for _, split in study.splits()}
        check_study(study, recipes, datasets, source)
        return cls(study, recipes, datasets)

    @property
    def layout(self) -> ResultsLayout:
        """Paths of results."""
        return ResultsLayout(Path(self.study.results))

    @property
    def resources(self) -> ResourcesLayout:
        """Paths of data sets and released weights."""
        return ResourcesLayout(Path(self.study.resources))

    @property
    def tracking(self) -> TrackingDestination:
        """Where the study is logged."""
        return TrackingDestination.chosen(self.study.name, self.study.tracking)

    @property
    def data(self) -> DataFiles:
        """Annotation files."""
        return DataFiles(self.study, self.datasets, self.resources)

    @property
    def checks(self) -> CheckFiles:
        """Checks of the splits."""
        return CheckFiles(self.study, self.recipes, self.datasets, self.resources)

    @property
    def archives(self) -> ArchiveFiles:
        """Downloaded archives."""
        return ArchiveFiles(self.study, self.recipes, self.datasets, self.resources)

    @property
    def boxes(self) -> BoxFiles:
        """Person boxes."""
        return BoxFiles(self.study, self.datasets, self.layout, self.resources)

    @property
    def training(self) -> TrainingFiles:
        """Runs and their weights."""
        return TrainingFiles(self.study, self.recipes, self.layout, self.resources)

    @property
    def evaluation(self) -> EvaluationFiles:
        """Metrics, analyses, tables and figures."""
        return EvaluationFiles(self.study, self.recipes, self.datasets, self.training.runs(), self.layout)

    def records(self) -> dict[RecordKind, dict[str, Settings]]:
        """Return every resolved configuration block, by kind and name."""
        study = self.study
        single: dict[RecordKind, Settings | None] = {
            RecordKind.PROTOCOL: study.protocol,
            RecordKind.BOOTSTRAP: study.bootstrap,
            RecordKind.COST: study.cost,
            RecordKind.ATTENTION_MAPS: study.attention_maps,
            RecordKind.ATTENTION_ANALYSIS: _as(AttentionMeasures, study.attention_analysis),
            RecordKind.RESOLUTIONS: _as(InputSizes, study.resolutions),
            RecordKind.DTYPES: _as(Dtypes, study.dtypes),
            RecordKind.TRACKING: study.tracking,
            RecordKind.STUDY: study,
        }
        return {
            RecordKind.RECIPE: dict(self.recipes),
            RecordKind.DATASET: dict(self.datasets),
            RecordKind.EXTERNAL: {one.name: one for one in self.study.external},
            **{kind: {"study": block} for kind, block in single.items() if block is not None},
        }

    def digest(self, kind: RecordKind, name: str = "study") -> str:
        """Return a digest of one record such as `protocol:1f0c9ab47d52`, whatever comments and the order of keys."""
        return f"{kind.name.lower()}:{digest_of(_values(self.records()[kind][name]))}"

    def torch_protocol_digest(self) -> str:
        """Return the digest of the protocol for results that always come from PyTorch: without its key `runtime`."""
        return f"protocol:{digest_of(self.study.protocol.model_dump(mode='json', exclude={'runtime'}))}"

    def record_values(self, kind: RecordKind) -> dict[str, dict[str, Any]]:
        """Return the records of a kind as JSON values, by name."""
        return {name: _values(block) for name, block in self.records().get(kind, {}).items()}

    def write_records(self, layout: ResultsLayout) -> None:
        """Write every record as a JSON file, to document the configuration of the results."""
        for kind, blocks in self.records().items():
            for name, block in blocks.items():
                write_json(layout.record(kind, name), _values(block))


def _values(record: Settings) -> dict[str, Any]:
    """Return a record as JSON values; a recipe without settings of image loading, which do not affect weights."""
    return record.reproducibility_values() if isinstance(record, Recipe) else record.model_dump(mode="json")


def _as(model: type[Model], chosen: Settings | None) -> Model | None:
    """Return the settings that affect an analysis's results, without its variants and evaluations."""
    return None if chosen is None else model(**chosen.model_dump(include=set(model.model_fields)))
