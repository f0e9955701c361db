"""Records and results of a study."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from transpose.config.dataset import Dataset
from transpose.config.load import read_record
from transpose.config.recipe import Recipe
from transpose.config.study import EvalSetting, Split, Study
from transpose.evaluation.bootstrap import PerImageTable, require_same_images, resample
from transpose.evaluation.external_row import ExternalRow
from transpose.evaluation.intervals import Resamples
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
    _resampled: dict[Path, Resamples] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Resampled metrics by metrics file."""

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

    def runs(self, variant: str) -> list[RunId]:
        """Return the trainings of a variant; released weights are one training, so other seeds only repeat it."""
        seeds = self.study.seeds if self.recipes[variant].training.source == "trained" else 1
        return [RunId(variant, seed) for seed in range(seeds)]

    def reports(self, variant: str, setting: EvalSetting) -> dict[Path, EvaluationReport]:
        """Read the reports of a variant's evaluated trainings, by metrics file.

        Raises:
            InputError: a metrics file is broken.
        """
        found = {self.layout.metrics(run, setting): self.report(run, setting) for run in self.runs(variant)}
        return {path: report for path, report in found.items() if report is not None}

    def interval(self, reports: Mapping[Path, EvaluationReport], setting: EvalSetting) -> tuple[float, float] | None:
        """Return the interval of the mean metric of several trainings, as fractions; None if there is none.

        Args:
            reports: reports by metrics file, which has its table next to it.

        Raises:
            InputError: a table is missing or broken.
        """
        if not reports:
            return None
        if len(reports) == 1:
            (report,) = reports.values()
            return None if report.interval[0] < 0 else report.interval
        trainings = [self._resample(path, self._table(path, setting)) for path in reports]
        return Resamples.joined(trainings).interval_of_fraction()

    def difference(self, variant: str, baseline: str, setting: EvalSetting) -> Resamples | None:
        """Return the variant's metric minus the baseline's for each evaluated pair of trainings; None without a pair.

        All trainings of both sides share the resampled images. The value is None if no person is labelled.

        Raises:
            InputError: a table is missing or broken.
        """
        metrics = self.layout.metrics
        pairs = [
            (metrics(run, setting), metrics(other, setting))
            for run, other in zip(self.runs(variant), self.runs(baseline), strict=False)
        ]
        differences = [self._difference(*pair, setting) for pair in pairs if all(path.is_file() for path in pair)]
        return Resamples.joined(differences) if differences else None

    def external_report(self, name: str) -> ExternalRow | None:
        """Read the metrics of another tool's results; None if there are none yet.

        Raises:
            InputError: the metrics file is broken.
        """
        path = self.layout.external(name)
        return read_record(ExternalRow, path) if path.is_file() else None

    def external_difference(self, name: str, variant: str, setting: EvalSetting) -> Resamples | None:
        """Return AP of another tool's results minus that of each evaluated training of a variant; None without any.

        Raises:
            InputError: a table is missing or broken.
        """
        external = self.layout.external(name)
        reports = self.reports(variant, setting)
        if not external.is_file() or not reports:
            return None
        return Resamples.joined([self._difference(external, path, setting) for path in reports])

    def _difference(self, path: Path, baseline: Path, setting: EvalSetting) -> Resamples:
        table, other = self._table(path, setting), self._table(baseline, setting)
        require_same_images(table, other)
        return self._resample(path, table).minus(self._resample(baseline, other))

    def _table(self, metrics: Path, setting: EvalSetting) -> PerImageTable:
        read = read_hits if self.datasets[setting.dataset].evaluation == "pckh" else read_matches
        return read(metrics.with_suffix(".npz"))

    def _resample(self, metrics: Path, table: PerImageTable) -> Resamples:
        """Resample a training's metric once, since a baseline is compared with several variants."""
        if metrics not in self._resampled:
            self._resampled[metrics] = resample(table, self.study.bootstrap_samples, self.study.bootstrap_seed)
        return self._resampled[metrics]
