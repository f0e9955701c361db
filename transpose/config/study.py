"""A study: variants, training data, evaluations, analyses and comparisons."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Literal, NamedTuple

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationInfo,
    field_validator,
)

from transpose.config.analyses import Dtypes, InputSizes
from transpose.config.attention import AttentionMeasures
from transpose.config.base import Name, PathText, Settings
from transpose.config.bootstrap import Bootstrap
from transpose.config.forecast import ForecastSettings
from transpose.config.runtime import RuntimeChoice
from transpose.config.tracking import TrackingSettings
from transpose.config.training import Dtype, Probability, Training
from transpose.errors import InputError


def _odd(side: int) -> int:
    if side % 2 == 0:
        raise ValueError("must be odd")
    return side


OddSide = Annotated[int, Field(gt=0), AfterValidator(_odd)]


class EvalProtocol(Settings):
    """Decoding, scoring and suppression of predictions; defaults of the official evaluation (paper, section 4.2)."""

    flip_test: bool = Field(default=True, description="Average the heatmaps with those of the mirrored crop.")
    decoder: Literal["dark", "quarter", "argmax"] = Field(
        default="dark",
        description="DARK refines the maximum to sub-pixel accuracy; quarter moves it a quarter of a pixel towards the"
        " higher neighbours.",
    )
    blur_kernel: OddSide = Field(default=11, description="Side of DARK's Gaussian kernel in heatmap pixels; odd.")
    keypoint_threshold: Probability = Field(
        default=0.2, description="Keypoints with a higher score count in the person's score."
    )
    nms_threshold: Probability | None = Field(
        default=0.9, description="OKS above which the person with the lower score is dropped; null keeps all."
    )
    score: Literal["box_times_keypoints", "keypoints", "box"] = Field(
        default="box_times_keypoints", description="Score of a person, by which persons are ranked for AP."
    )
    batch_size: PositiveInt = 32
    threads: PositiveInt | None = Field(
        default=None, description="CPU threads of a prediction process; null takes those that the job is given."
    )
    dtype: Dtype | None = Field(default=None, description="Dtype of the network; null uses that of the training.")
    compile: bool = Field(
        default=False,
        description="Compile the network for predictions, worthwhile from a few thousand persons on; needs a C++"
        " compiler, and Triton on a GPU.",
    )
    runtime: RuntimeChoice = Field(
        default="torch",
        description="Library that runs the network in predictions, the protocol ablation and other input sizes. All but"
        " torch run its export on a CPU, in fp32, and openvino also in bf16; auto measures those that are installed, so"
        " that the last digits depend on the machine.",
    )

    @field_validator("runtime")
    @classmethod
    def _is_not_compiled(cls, runtime: RuntimeChoice, info: ValidationInfo) -> RuntimeChoice:
        if runtime != "torch" and info.data.get("compile"):
            raise ValueError(f"{runtime} cannot be combined with compile, which is of torch")
        return runtime


class Split(Settings):
    """One split of one data set."""

    dataset: Name
    split: Name


class EvalSetting(NamedTuple):
    """An evaluation setting: the names of a data set, its split and the box source."""

    dataset: str
    split: str
    boxes: str

    @classmethod
    def parse(cls, text: str) -> "EvalSetting":
        """Parse a text such as `coco/val2017/ground_truth`.

        Raises:
            InputError: the text has another form.
        """
        parts = text.split("/")
        if len(parts) != 3 or not all(parts):
            raise InputError(
                "must be DATASET/SPLIT/BOXES, such as coco/val2017/ground_truth", file="evaluation", record=text
            )
        return cls(*parts)

    def __str__(self) -> str:
        return "/".join(self)


class Evaluation(Split):
    """A split on which trained models are evaluated, with its box sources."""

    boxes: tuple[Name, ...] = Field(min_length=1, description="Box sources of the data set's configuration.")

    def settings(self) -> tuple[EvalSetting, ...]:
        """One setting for each box source."""
        return tuple(EvalSetting(self.dataset, self.split, boxes) for boxes in self.boxes)


def eval_settings(evaluations: tuple[Evaluation, ...]) -> tuple[EvalSetting, ...]:
    """Return the distinct settings of evaluations."""
    return tuple(dict.fromkeys(setting for evaluation in evaluations for setting in evaluation.settings()))


class Ablation(Settings):
    """A comparison of variants with a baseline, on the same persons."""

    question: str
    baseline: Name
    variants: tuple[Name, ...] = Field(min_length=1)


class ExternalResults(Split):
    """Keypoint results of another tool on an evaluated split, as a row of the comparison."""

    name: Name = Field(description="Name of the row's files.")
    title: str = Field(description="Name of the model in tables.")
    results: PathText = Field(description="COCO keypoint results file of any tool.")
    category: int | str | None = Field(
        default=None, description="Id or name of persons in the file; null: as annotated."
    )
    published: NonNegativeFloat | None = Field(default=None, description="Published AP in per cent.")
    params: NonNegativeFloat | None = Field(default=None, description="Parameters in millions.")
    speed: str | None = Field(default=None, description="Speed and hardware, as text.")
    link: str | None = Field(default=None, description="Where the model or its results come from.")


class AnalysisScope(Settings):
    """Variants and evaluations of an analysis."""

    variants: tuple[Name, ...] = Field(min_length=1)
    evaluations: tuple[Evaluation, ...] = Field(min_length=1, description="Some or all of the study's evaluations.")

    def settings(self) -> tuple[EvalSetting, ...]:
        """Evaluation settings of the analysis."""
        return eval_settings(self.evaluations)


class ProtocolAblation(AnalysisScope):
    """Variants to evaluate by every protocol, each from one set of heatmaps."""


class Resolutions(InputSizes, AnalysisScope):
    """Variants to evaluate at other input sizes (paper, study of unseen resolutions)."""


class DtypeStudy(Dtypes, AnalysisScope):
    """Variants to evaluate in lower precision, to measure the loss of AP."""


class AttentionAnalysis(AttentionMeasures, AnalysisScope):
    """Variants for the attention analyses, on annotated boxes."""


class AttentionMapSettings(Settings):
    """Persons and threshold of attention maps."""

    persons: PositiveInt = Field(
        default=4, description="Persons per data set: those with the most labelled keypoints, one per image."
    )
    threshold: PositiveFloat = Field(
        default=1.0,
        description="Figures show attention above this multiple of uniform attention; arrays contain all of it.",
    )


class Analysis(StrEnum):
    """Analyses of trained models; files, tables and commands are named by the value."""

    PROTOCOLS = "protocol_ablation"
    RESOLUTIONS = "resolutions"
    DTYPES = "dtypes"
    ATTENTION_STATISTICS = "attention_statistics"
    FAITHFULNESS = "faithfulness"
    ATTENTION_ABLATION = "attention_ablation"
    BODY_PARTS = "body_parts"


class StudyTable(StrEnum):
    """Tables of a study that are not those of one analysis."""

    COMPARISON = "comparison"
    ABLATIONS = "ablations"
    VERDICTS = "verdicts"
    PERSON_BOXES = "person_boxes"
    CLAIMS = "claims"


ATTENTION_ANALYSES = (
    Analysis.ATTENTION_STATISTICS,
    Analysis.FAITHFULNESS,
    Analysis.ATTENTION_ABLATION,
    Analysis.BODY_PARTS,
)
"""Analyses under the study's key `attention_analysis`."""


class Cost(Settings):
    """Settings of the cost measurement."""

    batch_sizes: tuple[PositiveInt, ...] = (1, 16)
    repeats: PositiveInt = 5
    threads: PositiveInt = 1


class Study(Settings):
    """The full configuration of the workflow."""

    name: Name = Field(description="Name of the study and of its MLflow experiment.")
    results: PathText = Field(default="results", description="Folder of all outputs.")
    resources: PathText = Field(default="resources", description="Folder of data sets that are downloaded or rendered.")
    variants: tuple[Name, ...] = Field(min_length=1, description="Names of files in config/variants.")
    seeds: PositiveInt = Field(default=1, description="Trainings per variant; tables show mean and spread.")
    train: Split
    validation: Split = Field(
        description="Validation split; its AP or PCKh50 with ground-truth boxes chooses the best weights."
    )
    evaluations: tuple[Evaluation, ...] = Field(min_length=1)
    submissions: tuple[Evaluation, ...] = Field(
        default=(),
        description="Test sets with annotations only on an evaluation server; predictions are written in its format.",
    )
    external: tuple[ExternalResults, ...] = Field(
        default=(), description="Results of other tools on evaluated splits, as rows of the comparison."
    )
    ablations: tuple[Ablation, ...] = ()
    protocol_ablation: ProtocolAblation | None = None
    resolutions: Resolutions | None = None
    dtypes: DtypeStudy | None = None
    attention_analysis: AttentionAnalysis | None = None
    training: Training = Training()
    overrides: dict[Name, dict[str, object]] = Field(
        default={}, description="Training keys that differ for a variant, by variant."
    )
    protocol: EvalProtocol = EvalProtocol()
    attention_maps: AttentionMapSettings = AttentionMapSettings()
    cost: Cost = Cost()
    # Both are excluded from the study's record, so that their changes do not rebuild tables.
    tracking: TrackingSettings = Field(default=TrackingSettings(), exclude=True)
    forecast: ForecastSettings = Field(default=ForecastSettings(), exclude=True)
    bootstrap_samples: PositiveInt = Field(default=1000, description="Resamples over images for each interval.")
    bootstrap_seed: NonNegativeInt = 0

    def splits(self) -> Iterator[tuple[str, Split]]:
        """Yield all splits of the study with their places in its file, such as `evaluations.0`."""
        yield "train", self.train
        yield "validation", self.validation
        for key, evaluations in (("evaluations", self.evaluations), ("submissions", self.submissions)):
            yield from ((f"{key}.{index}", evaluation) for index, evaluation in enumerate(evaluations))

    def analysis_scopes(self) -> dict[str, AnalysisScope]:
        """Return the study's analyses by configuration key."""
        values = ((name, getattr(self, name)) for name in type(self).model_fields)
        return {name: value for name, value in values if isinstance(value, AnalysisScope)}

    def analyses(self) -> dict[Analysis, AnalysisScope]:
        """Return the study's analyses with their variants and settings."""
        chosen: dict[Analysis, AnalysisScope | None] = {
            Analysis.PROTOCOLS: self.protocol_ablation,
            Analysis.RESOLUTIONS: self.resolutions,
            Analysis.DTYPES: self.dtypes,
            **dict.fromkeys(ATTENTION_ANALYSES, self.attention_analysis),
        }
        return {analysis: scope for analysis, scope in chosen.items() if scope is not None}

    @property
    def bootstrap(self) -> Bootstrap:
        """Settings of bootstrap intervals."""
        return Bootstrap(samples=self.bootstrap_samples, seed=self.bootstrap_seed)

    def settings(self) -> tuple[EvalSetting, ...]:
        """Evaluation settings of all variants."""
        return eval_settings(self.evaluations)

    def evaluated_splits(self) -> tuple[tuple[str, str], ...]:
        """Distinct (data set, split) of the evaluations."""
        return tuple(dict.fromkeys((evaluation.dataset, evaluation.split) for evaluation in self.evaluations))

    def settings_of(self, split: Split) -> tuple[EvalSetting, ...]:
        """Evaluation settings on one split; none if it is not evaluated."""
        return tuple(one for one in self.settings() if one[:2] == (split.dataset, split.split))

    def external_of(self, name: str) -> ExternalResults:
        """Results of another tool by name."""
        return next(one for one in self.external if one.name == name)
