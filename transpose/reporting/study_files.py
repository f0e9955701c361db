"""Records and results of a study."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from transpose.config.dataset import Dataset
from transpose.config.load import read_record
from transpose.config.recipe import Recipe
from transpose.config.study import EvalSetting, Split, Study
from transpose.evaluation.bootstrap import PerImageTable, paired_difference
from transpose.evaluation.matches import read_matches
from transpose.evaluation.pckh import read_hits
from transpose.evaluation.report import EvaluationReport
from transpose.study.data_files import DataFiles
from transpose.study.layout import RecordKind, ResourcesLayout, ResultsLayout, RunId


@dataclass(frozen=True)
class StudyFiles:
    """A study with its resolved recipes, its data sets and the layout of its results."""

    layout: ResultsLayout
    study: Study
    recipes: dict[str, Recipe]
    datasets: dict[str, Dataset]

    @classmethod
    def read(cls, layout: ResultsLayout) -> "StudyFiles":
        """Read the records of a results folder.

        Raises:
            InputError: a record is missing or wrong.
        """
        study = read_record(Study, layout.record(RecordKind.STUDY))
        names = {split.dataset for split in (study.train, study.validation, *study.evaluations)}
        return cls(
            layout,
            study,
            {name: read_record(Recipe, layout.record(RecordKind.RECIPE, name)) for name in study.variants},
            {name: read_record(Dataset, layout.record(RecordKind.DATASET, name)) for name in names},
        )

    def annotations(self, split: Split) -> Path:
        """Annotation file of a split."""
        resources = ResourcesLayout(Path(self.study.resources))
        return Path(DataFiles(self.study, self.datasets, resources).split_annotations(split))

    def report(self, run: RunId, setting: EvalSetting) -> EvaluationReport | None:
        """Read the report of a run on a setting; None if there is none yet.

        Raises:
            InputError: the metrics file is broken.
        """
        path = self.layout.metrics(run, setting)
        return read_record(EvaluationReport, path) if path.is_file() else None

    def first_report(self, variant: str, setting: EvalSetting) -> EvaluationReport | None:
        """Return the report of the first seed that has one."""
        reports = (self.report(RunId(variant, seed), setting) for seed in range(self.study.seeds))
        return next((report for report in reports if report is not None), None)

    def difference(
        self, variant: str, baseline: str, setting: EvalSetting
    ) -> tuple[int, tuple[float, float, float] | None]:
        """Return the number of evaluated pairs of trainings, and the variant's metric minus the baseline's.

        The difference is (value, low, high), averaged over the pairs; both sides use the same bootstrap images. It is
        None if no person is labelled, since the evaluator then has no result.
        """
        pairs = [
            tuple(self.layout.metrics(RunId(name, seed), setting) for name in (variant, baseline))
            for seed in range(self.study.seeds)
        ]
        read = read_hits if self.datasets[setting.dataset].evaluation == "pckh" else read_matches
        complete = [(a, b) for a, b in pairs if a.is_file() and b.is_file()]
        return len(complete), _mean_difference(self.study, complete, read)


def _mean_difference(
    study: Study, pairs: list[tuple[Path, Path]], read: Callable[[Path], PerImageTable]
) -> tuple[float, float, float] | None:
    """Return the difference and its interval, each averaged over the pairs of trainings."""
    tables = [(read(a.with_suffix(".npz")), read(b.with_suffix(".npz"))) for a, b in pairs]
    if not any(a.persons.any() for a, _ in tables):
        return None
    differences = [paired_difference(a, b, study.bootstrap_samples, study.bootstrap_seed) for a, b in tables]
    difference, low, high = np.mean(differences, axis=0).tolist()
    return difference, low, high
