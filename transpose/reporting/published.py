"""Published results, each with benchmark, boxes, source and whether it is confirmed."""

from pathlib import Path
from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveInt, model_validator

from transpose.config.base import Name, Settings, Size, parse, read_yaml
from transpose.config.dataset import Accuracy

Metric = Literal[
    "AP",
    "AP50",
    "AP75",
    "APM",
    "APL",
    "AR",
    "AR50",
    "AR75",
    "ARM",
    "ARL",
    "PCKh50",
    "PCKh11",
    "params",
    "gflops",
    "fps",
]
BoxKind = Literal["ground_truth", "detections"]


class Benchmark(Settings):
    """A data set and split with published results."""

    title: str
    images: PositiveInt | None = Field(
        default=None, description="Number of images; a result on another number is not compared."
    )
    persons: PositiveInt | None = Field(
        default=None, description="Number of evaluated persons; a result on another number is not compared."
    )
    metric: Accuracy = Field(description="The metric that is compared.")


class PublishedBoxes(Settings):
    """Person boxes of published results."""

    title: str
    kind: BoxKind
    count: PositiveInt | None = Field(default=None, description="Boxes in the published detection file.")


class PublishedRow(Settings):
    """One model on one benchmark with one source of boxes; AP, AR and PCKh in per cent."""

    name: Name = Field(description="Name that variants refer to with `published`.")
    model: str
    tables: tuple[Name, ...] = Field(min_length=1)
    benchmark: Name
    boxes: Name
    input_size: Size
    metrics: dict[Metric, NonNegativeFloat] = Field(min_length=1)
    counted: dict[Literal["params", "gflops"], NonNegativeFloat] = Field(
        default={}, description="Counted on the official code, not printed in the paper."
    )
    published_only: bool = Field(default=False, description="No variant of this package has the model's network.")
    status: Literal["confirmed", "unconfirmed"]
    unconfirmed_metrics: tuple[Metric, ...] = Field(
        default=(), description="Values of a confirmed row that were recalled, not read."
    )
    source: str
    note: str = ""

    def is_confirmed(self, metric: Metric) -> bool:
        """Return whether this value was read in its source, not recalled."""
        return self.status == "confirmed" and metric not in self.unconfirmed_metrics


class Published(Settings):
    """All published results."""

    benchmarks: dict[Name, Benchmark]
    boxes: dict[Name, PublishedBoxes]
    rows: tuple[PublishedRow, ...]

    @model_validator(mode="after")
    def _is_consistent(self) -> "Published":
        seen: set[tuple[str, str, str]] = set()
        for row in self.rows:
            if row.benchmark not in self.benchmarks:
                raise ValueError(f"row {row.name}: unknown benchmark {row.benchmark!r}")
            if row.boxes not in self.boxes:
                raise ValueError(f"row {row.name}: unknown boxes {row.boxes!r}")
            if missing := sorted(set(row.unconfirmed_metrics) - set(row.metrics)):
                raise ValueError(f"row {row.name}: unconfirmed_metrics names {missing[0]}, which the row lacks")
            key = (row.name, row.benchmark, self.boxes[row.boxes].kind)
            if key in seen:
                raise ValueError(f"row {row.name} appears twice for {row.benchmark} with {row.boxes} boxes")
            seen.add(key)
        return self


def load_published(path: Path) -> Published:
    """Read the published results.

    Raises:
        InputError: the file is missing or wrong.
    """
    return parse(Published, read_yaml(path), path)


def published_row(published: Published, name: str, benchmark: str, box_kind: BoxKind) -> PublishedRow | None:
    """Return the row of a model on a benchmark with boxes of a kind, or None."""
    for row in published.rows:
        if (row.name, row.benchmark, published.boxes[row.boxes].kind) == (name, benchmark, box_kind):
            return row
    return None
