"""A study: which variants are trained on which data, evaluated how, and compared with what."""

from enum import StrEnum
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from transpose.config.attention import AttentionMeasures
from transpose.config.base import Name, PathText, Settings
from transpose.config.bootstrap import Bootstrap
from transpose.config.dtypes import Dtypes
from transpose.config.forecast import ForecastSettings
from transpose.config.resolution import InputSizes
from transpose.config.training import Dtype, Probability, Training
from transpose.errors import InputError


def _odd(side: int) -> int:
    if side % 2 == 0:
        raise ValueError("is even, and has no middle")
    return side


OddSide = Annotated[int, Field(gt=0), AfterValidator(_odd)]


class EvalProtocol(Settings):
    """How heatmaps become kept and scored persons; the defaults are the official evaluation's (paper, section 4.2)."""

    flip_test: bool = Field(default=True, description="Average the heatmaps with those of the mirrored crop.")
    decoder: Literal["dark", "quarter", "argmax"] = Field(
        default="dark",
        description="DARK refines the maximum to sub-pixel accuracy; quarter moves it a quarter of a pixel towards the"
        " higher neighbours.",
    )
    blur_kernel: OddSide = Field(default=11, description="Side of DARK's Gaussian kernel in heatmap pixels; odd.")
    keypoint_threshold: Probability = Field(
        default=0.2, description="Keypoints scored higher count in a person's score."
    )
    nms_threshold: Probability | None = Field(
        default=0.9, description="Of two persons with a larger OKS only the better scored stays; null keeps all."
    )
    score: Literal["box_times_keypoints", "keypoints", "box"] = Field(
        default="box_times_keypoints", description="What a person's score is made of; it ranks the persons."
    )
    batch_size: PositiveInt = 32
    threads: PositiveInt = Field(default=1, description="CPU threads of a prediction process.")
    dtype: Dtype | None = Field(
        default=None, description="Of the network's products; null predicts in the precision of the training."
    )
    compile: bool = Field(
        default=False,
        description="Compile the network before it predicts, which pays from some thousand persons on; needs a C++"
        " compiler, and on a GPU Triton.",
    )


class Split(Settings):
    """One split of one data set."""

    dataset: Name
    split: Name


class EvalSetting(NamedTuple):
    """What a model is evaluated on: the names of a data set, of its split and of the person boxes."""

    dataset: str
    split: str
    boxes: str

    @classmethod
    def parse(cls, text: str) -> "EvalSetting":
        """The setting of a text such as `coco/val2017/ground_truth`.

        Raises:
            InputError: it has another form.
        """
        parts = text.split("/")
        if len(parts) != 3 or not all(parts):
            raise InputError("evaluation", text, None, "must be DATASET/SPLIT/BOXES, such as coco/val2017/ground_truth")
        return cls(*parts)

    def __str__(self) -> str:
        return "/".join(self)


class Evaluation(Split):
    """Where trained models are evaluated, and on whose boxes."""

    boxes: tuple[Name, ...] = Field(min_length=1, description="Box sources of the data set's configuration.")

    def settings(self) -> tuple[EvalSetting, ...]:
        """One for each box source."""
        return tuple(EvalSetting(self.dataset, self.split, boxes) for boxes in self.boxes)


def eval_settings(evaluations: tuple[Evaluation, ...]) -> tuple[EvalSetting, ...]:
    """One for each data set, split and box source, each once."""
    return tuple(dict.fromkeys(setting for evaluation in evaluations for setting in evaluation.settings()))


class Ablation(Settings):
    """A question asked as a difference: each variant against the baseline, on the same persons."""

    question: str
    baseline: Name
    variants: tuple[Name, ...] = Field(min_length=1)


class AnalysisScope(Settings):
    """Which trained variants an analysis is run on, and on which evaluations."""

    variants: tuple[Name, ...] = Field(min_length=1)
    evaluations: tuple[Evaluation, ...] = Field(min_length=1, description="Some or all of the study's evaluations.")

    def settings(self) -> tuple[EvalSetting, ...]:
        """What the variants are analysed on."""
        return eval_settings(self.evaluations)


class ProtocolAblation(AnalysisScope):
    """Which variants are evaluated by every protocol, each from one set of heatmaps."""


class Resolutions(InputSizes, AnalysisScope):
    """Which trained variants are evaluated at inputs of other sizes (paper, study of unseen resolutions)."""


class DtypeStudy(Dtypes, AnalysisScope):
    """Which trained variants predict again in cheaper arithmetic, to see what AP that costs."""


class AttentionAnalysis(AttentionMeasures, AnalysisScope):
    """Which trained variants' explanations are measured, on annotated boxes."""


class AttentionMapSettings(Settings):
    """Which persons get attention maps."""

    persons: PositiveInt = Field(
        default=4, description="Persons per data set: those with most labelled keypoints, one an image."
    )
    threshold: PositiveFloat = Field(
        default=1.0,
        description="Figures show attention above this multiple of uniform attention; the arrays hold all of it.",
    )


class Analysis(StrEnum):
    """The analyses of trained models; files, tables and commands carry the value as their name."""

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
"""Those that the study asks for under `attention_analysis`."""


class Cost(Settings):
    """How cost is measured."""

    batch_sizes: tuple[PositiveInt, ...] = (1, 16)
    repeats: PositiveInt = 5
    threads: PositiveInt = 1


class Study(Settings):
    """The whole configuration of a run of the workflow."""

    name: Name = Field(description="Name of the study; MLflow's experiment carries it.")
    results: PathText = Field(default="results", description="Folder of everything a run makes.")
    resources: PathText = Field(default="resources", description="Folder of data sets that are downloaded or rendered.")
    variants: tuple[Name, ...] = Field(min_length=1, description="Names of files in config/variants.")
    seeds: PositiveInt = Field(default=1, description="Trainings per variant; tables show mean and spread.")
    train: Split
    validation: Split = Field(
        description="Watched while training; its AP or PCKh50 with ground-truth boxes chooses the best weights."
    )
    evaluations: tuple[Evaluation, ...] = Field(min_length=1)
    submissions: tuple[Evaluation, ...] = Field(
        default=(),
        description="Test sets that only an evaluation server has annotations of: predictions as it takes them.",
    )
    ablations: tuple[Ablation, ...] = ()
    protocol_ablation: ProtocolAblation | None = None
    resolutions: Resolutions | None = None
    dtypes: DtypeStudy | None = None
    attention_analysis: AttentionAnalysis | None = None
    training: Training = Training()
    overrides: dict[Name, dict[str, object]] = Field(
        default={}, description="Training keys that differ for single variants."
    )
    protocol: EvalProtocol = EvalProtocol()
    attention_maps: AttentionMapSettings = AttentionMapSettings()
    cost: Cost = Cost()
    # Left out of the study's record: what is assumed about hours and disk must not make tables anew.
    forecast: ForecastSettings = Field(default=ForecastSettings(), exclude=True)
    bootstrap_samples: PositiveInt = Field(default=1000, description="Resamples over images behind every interval.")
    bootstrap_seed: NonNegativeInt = 0

    @model_validator(mode="after")
    def _names_known_variants(self) -> "Study":
        named = {name for ablation in self.ablations for name in (ablation.baseline, *ablation.variants)} | set(
            self.overrides
        )
        if unknown := sorted(named - set(self.variants)):
            raise ValueError(f"ablations and overrides name {unknown[0]!r}, which is not among the variants")
        if len(set(self.variants)) != len(self.variants):
            raise ValueError("variants has a name twice")
        return self

    def analysis_scopes(self) -> dict[str, AnalysisScope]:
        """The analyses that the study asks for, by key."""
        values = ((name, getattr(self, name)) for name in type(self).model_fields)
        return {name: value for name, value in values if isinstance(value, AnalysisScope)}

    def analyses(self) -> dict[Analysis, AnalysisScope]:
        """The analyses that the study asks for, each with its variants and settings."""
        chosen: dict[Analysis, AnalysisScope | None] = {
            Analysis.PROTOCOLS: self.protocol_ablation,
            Analysis.RESOLUTIONS: self.resolutions,
            Analysis.DTYPES: self.dtypes,
            **dict.fromkeys(ATTENTION_ANALYSES, self.attention_analysis),
        }
        return {analysis: scope for analysis, scope in chosen.items() if scope is not None}

    @property
    def bootstrap(self) -> Bootstrap:
        """How intervals are drawn."""
        return Bootstrap(samples=self.bootstrap_samples, seed=self.bootstrap_seed)

    def settings(self) -> tuple[EvalSetting, ...]:
        """What all variants are evaluated on."""
        return eval_settings(self.evaluations)

    @model_validator(mode="after")
    def _analyses_name_what_is_there(self) -> "Study":
        for key, scope in self.analysis_scopes().items():
            if unknown := sorted(set(scope.variants) - set(self.variants)):
                raise ValueError(f"{key} names {unknown[0]!r}, which is not among the variants")
            for setting in scope.settings():
                if setting not in self.settings():
                    raise ValueError(f"{key} names {' '.join(setting)}, which is not among the evaluations")
        return self
