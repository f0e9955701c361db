"""Paths of all files in the results and resources folders.

Commands, tables and tracking get paths of files; rules get patterns, with wildcards such as `{variant}` as arguments.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from transpose.config.base import Size
from transpose.config.study import Analysis, EvalSetting, StudyTable
from transpose.errors import InputError

TABLE_SUFFIXES = (".csv", ".md", ".html", ".tex")
"""Formats of a table, in the order in which they are written."""

REPORT_PAGES = ("index.html", "errors.html", "findings.html", "persons.html", "data.html", "provenance.html")
"""Pages of a study's report."""


class RecordKind(StrEnum):
    """Configuration blocks that are written as records; the value is their folder."""

    RECIPE = "recipes"
    DATASET = "datasets"
    PROTOCOL = "protocols"
    BOOTSTRAP = "bootstraps"
    COST = "costs"
    ATTENTION_MAPS = "attention_maps"
    ATTENTION_ANALYSIS = "attention_analysis"
    RESOLUTIONS = "resolutions"
    DTYPES = "dtypes"
    EXTERNAL = "external"
    TRACKING = "tracking"
    STUDY = "studies"


class RunId(NamedTuple):
    """One training: a variant and a seed, or the wildcards of both."""

    variant: str
    seed: int | str

    @classmethod
    def parse(cls, text: str) -> "RunId":
        """Parse a text such as `r_sine/seed0`.

        Raises:
            InputError: the text has another form.
        """
        variant, separator, seed = text.partition("/seed")
        if not variant or not separator or not seed.isdecimal():
            raise InputError("must be VARIANT/seedN, such as r_sine/seed0", file="run", record=text)
        return cls(variant, int(seed))

    def __str__(self) -> str:
        return f"{self.variant}/seed{self.seed}"


@dataclass(frozen=True)
class RunFolder:
    """Files of one training."""

    folder: Path

    @property
    def record(self) -> Path:
        """Record of the training: run.json."""
        return self.folder / "run.json"

    @property
    def weights(self) -> Path:
        """Weights of the best epoch."""
        return self.folder / "weights.safetensors"

    @property
    def last_weights(self) -> Path:
        """Weights of the last epoch."""
        return self.folder / "last.safetensors"

    @property
    def history(self) -> Path:
        """Training history, one JSON line per epoch."""
        return self.folder / "history.jsonl"


@dataclass(frozen=True)
class ResultsLayout:
    """Files of a study's results folder."""

    root: Path

    def record(self, kind: RecordKind, name: str = "study") -> Path:
        """A resolved configuration block; a block that a study has only once is called `study`."""
        return self.root / "records" / kind / f"{name}.json"

    def train(self, run: RunId) -> RunFolder:
        """Files of a training."""
        return RunFolder(self.root / "train" / str(run))

    def backbone(self, variant: str) -> Path:
        """Backbone weights of a trained variant, to initialise other variants."""
        return self.root / "backbones" / f"{variant}.safetensors"

    def boxes(self, setting: EvalSetting) -> Path:
        """Person boxes."""
        return self.root / "boxes" / f"{setting}.json"

    def box_counts(self, setting: EvalSetting) -> Path:
        """Numbers of boxes, and boxes that were left out."""
        return self.root / "boxes" / f"{setting}.counts.json"

    def box_metrics(self, setting: EvalSetting) -> Path:
        """AP of person boxes."""
        return self.root / "box_ap" / f"{setting}.json"

    def predictions(self, run: RunId, setting: EvalSetting) -> Path:
        """Predicted persons, in COCO's results format."""
        return self._of_run("predictions", run, setting)

    def prediction_record(self, run: RunId, setting: EvalSetting) -> Path:
        """What the predictions were made from."""
        return self.predictions(run, setting).with_suffix(".record.json")

    def metrics(self, run: RunId, setting: EvalSetting) -> Path:
        """Metrics of predictions; the bootstrap data have the suffix .npz."""
        return self._of_run("metrics", run, setting)

    def external(self, name: str) -> Path:
        """Metrics of another tool's results; the bootstrap data have the suffix .npz."""
        return self.root / "external" / f"{name}.json"

    def metrics_of_run(self, run: RunId) -> Path:
        """Folder of a run's metrics."""
        return self.root / "metrics" / str(run)

    def analysis(self, analysis: Analysis, run: RunId, setting: EvalSetting) -> Path:
        """Report of an analysis; its arrays have the suffix .npz."""
        return self._of_run(analysis, run, setting)

    def resolutions(self, run: RunId, setting: EvalSetting) -> Path:
        """Folder of predictions and metrics at other input sizes."""
        return self.analysis(Analysis.RESOLUTIONS, run, setting).with_suffix("")

    def resolution(self, run: RunId, setting: EvalSetting, size: Size, position: str) -> Path:
        """Metrics at one input size (height, width); the bootstrap data have the suffix .npz.

        The predictions have the suffix .predictions.json.
        """
        return self.resolutions(run, setting) / f"{size[0]}x{size[1]}_{position}.json"

    def attention(self, run: RunId, dataset: str, split: str) -> Path:
        """Folder of a run's attention maps and figures on one split."""
        return self.attention_of_run(run) / dataset / split

    def attention_of_run(self, run: RunId) -> Path:
        """Folder of a run's attention maps and figures."""
        return self.root / "attention" / str(run)

    def viewer(self, dataset: str, split: str) -> Path:
        """Attention viewer of all models on one split."""
        return self.root / "viewer" / f"{dataset}_{split}.html"

    def error_browser(self, dataset: str, split: str) -> Path:
        """Worst and best predictions of all models on one split."""
        return self.root / "errors" / f"{dataset}_{split}.html"

    def model_errors(self, dataset: str, split: str) -> Path:
        """Types of errors and calibration of all models on one split."""
        return self.root / "errors" / f"{dataset}_{split}.json"

    def error_images(self, dataset: str, split: str) -> Path:
        """Folder of the images of an error browser that is too large to contain them."""
        return self.root / "errors" / f"{dataset}_{split}_images"

    def cost(self, variant: str) -> Path:
        """Parameters, operations, times and memory of a variant."""
        return self.root / "cost" / f"{variant}.json"

    def submission(self, run: RunId, setting: EvalSetting, test_set: str) -> Path:
        """Archive for COCO's evaluation server, named as the server requires."""
        name = f"person_keypoints_{test_set}_{run.variant}_results.zip"
        return self.root / "submissions" / str(setting) / str(run) / name

    def table(self, name: str) -> Path:
        """A table of the study, without a suffix; see `TABLE_SUFFIXES`."""
        return self.root / name

    def tables(self) -> list[Path]:
        """All existing tables, in all formats."""
        paths = (self.table(name).with_suffix(suffix) for name in (*StudyTable, *Analysis) for suffix in TABLE_SUFFIXES)
        return [path for path in paths if path.is_file()]

    def figure(self, kind: str, *parts: str) -> Path:
        """A figure of the study, by kind and, if there are several, evaluation or variant; .svg is next to it."""
        return self.root / "figures" / f"{'_'.join((kind, *parts))}.png"

    def report(self, page: str) -> Path:
        """A page of the study's report."""
        return self.root / "report" / page

    @property
    def report_persons(self) -> Path:
        """Folder of the report's images of persons."""
        return self.root / "report" / "persons"

    def tracked_run(self, run: RunId) -> Path:
        """The id of a training's MLflow run."""
        return self.root / "tracking" / f"{run}.json"

    def tracked_study(self) -> Path:
        """The id of the comparison's MLflow run."""
        return self.root / "tracking" / "study.json"

    def tracking_database(self) -> Path:
        """Marker file: the MLflow database exists."""
        return self.root / "tracking" / "database.json"

    def log(self, *parts: str | RunId | EvalSetting) -> Path:
        """Log file of a job; its last line is the job's time and memory."""
        return self.root / "logs" / f"{'/'.join(map(str, parts))}.log"

    def _of_run(self, kind: str, run: RunId, setting: EvalSetting) -> Path:
        return self.root / kind / str(run) / f"{setting}.json"


@dataclass(frozen=True)
class ResourcesLayout:
    """Files of the resources folder: data sets and weights, which studies share."""

    root: Path

    def annotations(self, dataset: str, split: str) -> Path:
        """Annotations of a split; images are in `images/` of its folder, or where its `images.json` says."""
        return self.root / dataset / split / "annotations.json"

    def imported(self, dataset: str, split: str) -> Path:
        """Annotations of a split in a user's folder, as plain COCO; `check.json` is next to them."""
        return self.root / "imported" / dataset / split / "annotations.json"

    def check(self, dataset: str, split: str) -> Path:
        """Check of a split that is not in a user's folder."""
        return self.root / "checks" / dataset / f"{split}.json"

    def part_labels(self, dataset: str, split: str) -> Path:
        """Body part labels of the pixels of a rendered split."""
        return self.root / dataset / split / "parts.npz"

    @property
    def downloads(self) -> Path:
        """Folder of downloaded archives."""
        return self.root / "downloads"

    def archive_digest(self, archive: str) -> Path:
        """Verified digest of a downloaded archive."""
        return self.downloads / f"{archive}.zip.sha256.json"

    @property
    def unpacked(self) -> Path:
        """Folder of unpacked archives."""
        return self.root / "unpacked"

    def manifest(self, archive: str) -> Path:
        """List of an unpacked archive's files."""
        return self.unpacked / f"{archive}.manifest.json"

    def weights(self, name: str) -> Path:
        """Released weights, as safetensors."""
        return self.root / "weights" / f"{name}.safetensors"

    @property
    def downloaded_files(self) -> Path:
        """Folder of single files downloaded from a URL."""
        return self.root / "downloaded_files"
