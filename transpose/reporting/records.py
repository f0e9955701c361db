"""Rows of measured results, the input of tables and figures."""

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from transpose.config.base import Name, Settings, Size
from transpose.config.cost_report import CostReport
from transpose.config.dataset import Accuracy, BoxKind
from transpose.config.study import EvalProtocol
from transpose.evaluation.report import EvaluationReport


class EvaluationKey(Settings):
    """Results with equal keys can be averaged; results that differ only in the variant can be compared."""

    variant: Name
    dataset: Name
    split: Name
    boxes: Name = Field(description="Name of the box source in the data set's configuration.")
    boxes_kind: BoxKind
    protocol: EvalProtocol = EvalProtocol()
    metric: Accuracy = Field(default="AP", description="Main metric of the evaluation.")


class ResultRow(Settings):
    """A row of the comparison: a variant on one data set, split and box source, over its seeds."""

    key: EvaluationKey
    title: str
    dataset_title: str
    input_size: Size
    benchmark: Name | None = Field(default=None, description="Published benchmark of this data set and split.")
    published: Name | None = Field(default=None, description="Published row that the variant reproduces.")
    seeds_planned: PositiveInt
    evaluations: tuple[EvaluationReport, ...] = Field(
        default=(), description="One per evaluated seed; empty if not run."
    )
    interval: tuple[float, float] | None = Field(
        default=None, description="Interval of the mean main metric, as fractions."
    )
    notes: tuple[str, ...] = Field(default=(), description="Warnings for the reader, such as changed training code.")
    cost: CostReport | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> "ResultRow":
        for report in self.evaluations:
            for field in EvaluationKey.model_fields:
                if getattr(report, field) != getattr(self.key, field):
                    raise ValueError(f"{self.key.variant} seed {report.seed} has another {field} than its row")
            first = self.evaluations[0]
            if (report.images, report.persons) != (first.images, first.persons):
                raise ValueError(
                    f"{self.key.variant} seed {report.seed} has other images or persons than seed {first.seed}"
                )
        if len({report.seed for report in self.evaluations}) != len(self.evaluations):
            raise ValueError(f"{self.key.variant} has the same seed twice")
        return self


class AblationRecord(Settings):
    """A question answered by the difference of two variants on the same persons."""

    question: str
    baseline_title: str
    variant_title: str
    dataset_title: str
    split: Name
    boxes: Name
    box_kind: BoxKind
    images: NonNegativeInt
    persons: NonNegativeInt
    seeds: NonNegativeInt = Field(description="Pairs of trainings behind the difference.")
    metric: Accuracy = "AP"
    difference: float | None = Field(
        default=None, description="The variant's figure minus the baseline's, as a fraction."
    )
    interval: tuple[float, float] | None = Field(
        default=None, description="Interval of the difference: over images, and trainings if there are several."
    )
    seeds_needed: PositiveInt | None = Field(
        default=None, description="Pairs of trainings that would make such a difference clear on the same images."
    )
    half_widths: tuple[float, float] | None = Field(
        default=None, description="Parts of half the interval from images and from trainings; None with one pair."
    )
    sign_flip_p: float | None = Field(
        default=None, description="p-value of the sign-flip test over the pairs; None with one pair."
    )
    images_needed: PositiveInt | None = Field(
        default=None, description="Images that would make such a difference clear with the same trainings."
    )
