"""Files of evaluations and analyses of a study's runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from transpose.config.dataset import Dataset
from transpose.config.recipe import Recipe
from transpose.config.study import ATTENTION_ANALYSES, Analysis, EvalSetting, Study, StudyTable
from transpose.study.layout import ResultsLayout, RunId


@dataclass(frozen=True)
class EvaluationFiles:
    """Metrics, analyses, tables, figures and submissions of a study."""

    study: Study
    recipes: Mapping[str, Recipe]
    datasets: Mapping[str, Dataset]
    runs: Sequence[RunId]
    """All runs of the study."""
    layout: ResultsLayout

    def metrics(self) -> list[Path]:
        """Metrics file of every run on every evaluation."""
        return [path for run in self.runs for path in self.metrics_of(run)]

    def metrics_of(self, run: RunId) -> list[Path]:
        """Metrics files of one run."""
        return [self.layout.metrics(run, setting) for setting in self.study.settings()]

    def external(self) -> list[Path]:
        """Metrics files of other tools' results."""
        return [self.layout.external(one.name) for one in self.study.external]

    def external_boxes(self, name: str) -> list[Path]:
        """Boxes of all sources on the split of another tool's results."""
        return [self.layout.boxes(setting) for setting in self.study.settings_of(self.study.external_of(name))]

    def reports(self, analysis: Analysis) -> list[Path]:
        """Reports of an analysis, one for each of its runs and settings; none if the study does not have it."""
        side = self.study.analyses().get(analysis)
        if side is None:
            return []
        chosen = [
            (run, setting) for run, setting in product(self.runs, side.settings()) if run.variant in side.variants
        ]
        if analysis == Analysis.RESOLUTIONS:
            return [self.layout.resolutions(*one) for one in chosen]
        return [self.layout.analysis(analysis, *one) for one in chosen]

    def attention_reports(self) -> list[Path]:
        """Reports of all analyses of attention."""
        return [path for analysis in ATTENTION_ANALYSES for path in self.reports(analysis)]

    def analysis_tables(self) -> list[Path]:
        """Tables of the study's analyses."""
        tables = [str(analysis) for analysis in self.study.analyses()]
        names = [*tables, StudyTable.CLAIMS] if self.study.attention_analysis is not None else tables
        return [self.layout.table(name).with_suffix(".html") for name in names]

    def analysis_figures(self, analysis: Analysis) -> list[Path]:
        """Figures of an analysis: one for each setting, or for each setting and variant."""
        side = self.study.analyses().get(analysis)
        if side is None:
            return []
        if analysis == Analysis.ATTENTION_STATISTICS:
            return [
                self.layout.figure("keypoint_attention", *setting, variant)
                for setting, variant in product(side.settings(), side.variants)
            ]
        if analysis in (Analysis.RESOLUTIONS, Analysis.FAITHFULNESS):
            return [self.layout.figure(analysis, *setting) for setting in side.settings()]
        return []

    def figures(self) -> list[Path]:
        """Figures of the comparison: training curves, and two for each evaluated split and its first box source."""
        splits = [(e.dataset, e.split, e.boxes[0]) for e in self.study.evaluations]
        pairs = (self.layout.figure(kind, *split) for split in splits for kind in ("accuracy", "keypoints"))
        return [self.layout.figure("training"), *pairs]

    def submissions(self) -> list[Path]:
        """Archives for the evaluation server, one for each run, split and box source."""
        return [
            self.layout.submission(run, setting, str(self.datasets[e.dataset].test_set(e.split)))
            for e in self.study.submissions
            for setting in e.settings()
            for run in self.runs
        ]

    def attention_maps_of(self, run: RunId) -> list[Path]:
        """Attention maps of one run on every evaluated split; none without an encoder."""
        if self.recipes[run.variant].variant.encoder is None:
            return []
        return [self.layout.attention(run, e.dataset, e.split) / "maps.npz" for e in self.study.evaluations]

    def viewer_runs(self) -> list[RunId]:
        """The first seed of every variant with an encoder."""
        return [RunId(name, 0) for name in self.study.variants if self.recipes[name].variant.encoder is not None]

    def browsed_runs(self) -> list[RunId]:
        """The first seed of every variant."""
        return [RunId(name, 0) for name in self.study.variants]

    def browsed_settings(self) -> dict[tuple[str, str], EvalSetting]:
        """Data set and split -> the setting of its error browser: the first box source; only of OKS evaluations."""
        settings: dict[tuple[str, str], EvalSetting] = {}
        for setting in self.study.settings():
            if self.datasets[setting.dataset].evaluation == "oks":
                settings.setdefault((setting.dataset, setting.split), setting)
        return settings

    def browsed_predictions(self, dataset: str, split: str) -> list[Path]:
        """Predictions that an error browser shows."""
        setting = self.browsed_settings()[dataset, split]
        return [self.layout.predictions(run, setting) for run in self.browsed_runs()]

    def error_browsers(self) -> list[Path]:
        """Error browser of every split that is evaluated by OKS."""
        return [self.layout.error_browser(*split) for split in self.browsed_settings()]

    def model_errors(self) -> list[Path]:
        """Errors and calibration on every split that is evaluated by OKS."""
        return [self.layout.model_errors(*split) for split in self.browsed_settings()]

    def viewers(self) -> list[Path]:
        """Viewer page of every evaluated split; none if no variant has an encoder."""
        if not self.viewer_runs():
            return []
        return [self.layout.viewer(*split) for split in self.study.evaluated_splits()]
