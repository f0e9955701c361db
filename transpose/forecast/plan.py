"""Forecast of hours, memory and disk of a study."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from transpose.config.download import Archive
from transpose.config.forecast import ForecastSettings
from transpose.config.recipe import Recipe
from transpose.config.training import Training
from transpose.errors import InputError
from transpose.forecast.layers import Work
from transpose.forecast.network import work_of
from transpose.forecast.persons import StudyCrops, count_crops
from transpose.study.plan import Plan


@dataclass(frozen=True)
class Hours:
    """GPU hours of all trainings of a variant; None if a number of persons is unknown."""

    train: float | None
    validate: float | None
    predict: float | None


@dataclass(frozen=True)
class VariantForecast:
    """Cost of one variant: hours of all its seeds, memory of one training."""

    name: str
    work: Work
    training: Training
    hours: Hours
    memory_bytes: int
    """Peak GPU memory of a training step with fused attention."""
    memory_unfused_bytes: int
    """The same without fused attention, where each layer stores its L x L weights."""


@dataclass(frozen=True)
class DiskItem:
    """Bytes of one kind of file; None where unknown."""

    what: str
    bytes: int | None
    passing: bool = False
    """The file is removed before the study ends."""


@dataclass(frozen=True)
class StudyForecast:
    """A study's cost, and the numbers and assumptions that it is based on."""

    study: str
    seeds: int
    variants: tuple[VariantForecast, ...]
    crops: StudyCrops
    disk: tuple[DiskItem, ...]
    assumptions: ForecastSettings


def forecast_study(plan: Plan, archives: Mapping[str, Archive]) -> StudyForecast:
    """Forecast the cost of all trainings and predictions of a study, including those that exist already.

    Args:
        archives: table of downloads.

    Raises:
        InputError: an archive of the study is missing in the table, or an annotation or detection file is wrong.
    """
    crops = count_crops(plan)
    variants = tuple(_variant(plan, recipe, crops) for recipe in plan.recipes.values())
    disk = (*_downloads(plan, archives), *_results(plan, variants, crops))
    return StudyForecast(plan.study.name, plan.study.seeds, variants, crops, disk, plan.study.forecast)


def hours(operations: float | None, tflops: float) -> float | None:
    """Convert floating-point operations to GPU hours; a multiply-accumulate is two operations."""
    return None if operations is None else operations / (tflops * 1e12) / 3600


def training_memory(work: Work, training: Training, settings: ForecastSettings, fused: bool) -> int:
    """Compute GPU memory in bytes at the end of a step's forward pass, where it peaks.

    Unfused attention stores the softmax output and, with dropout inside attention, also the dropped weights and the
    mask. PyTorch's fused kernels for CUDA avoid this, also with dropout and in fp32; on a CPU, dropout prevents fused
    attention.
    """
    number = 2 if training.dtype == "bf16" else 4
    kept = number * work.activations + work.masks + 4 * work.statistics + 8 * work.indices
    if not fused:
        kept += work.attention * (2 * number + 1 if training.attention_dropout else number)
    return settings.state_bytes_per_parameter * work.parameters + kept * training.batch_size + settings.overhead_bytes


def _variant(plan: Plan, recipe: Recipe, crops: StudyCrops) -> VariantForecast:
    study, settings, training = plan.study, plan.study.forecast, recipe.training
    work = work_of(recipe.variant, plan.data.keypoints(), training.dropout > 0)
    validations = math.ceil(training.epochs / training.validation_interval)
    mirrored = 2 if study.protocol.flip_test else 1

    def forward(number: int | None, passes: float) -> float | None:
        return None if number is None else 2 * work.macs * number * passes * study.seeds

    is_trained = training.source == "trained"
    train = forward(crops.train.number, training.epochs * (1 + settings.backward_passes)) if is_trained else 0.0
    validate = forward(crops.validation.number, validations * mirrored) if is_trained else 0.0
    return VariantForecast(
        name=recipe.name,
        work=work,
        training=training,
        hours=Hours(
            hours(train, settings.training_tflops),
            hours(validate, settings.inference_tflops),
            hours(forward(crops.all_predicted, mirrored), settings.inference_tflops),
        ),
        memory_bytes=training_memory(work, training, settings, fused=True),
        memory_unfused_bytes=training_memory(work, training, settings, fused=False),
    )


def _downloads(plan: Plan, archives: Mapping[str, Archive]) -> list[DiskItem]:
    items = []
    for name, unpacks in plan.archives.of_study().items():
        if name not in archives:
            raise InputError("downloads", "archives", None, f"no archive {name!r}; known are {', '.join(archives)}")
        size = archives[name].bytes
        items.append(DiskItem(f"download {name}", size))
        if unpacks:
            items.append(DiskItem(f"unpack {name}", round(size * plan.study.forecast.unpacked_ratio)))
    return items


def _results(plan: Plan, variants: tuple[VariantForecast, ...], crops: StudyCrops) -> list[DiskItem]:
    study, settings = plan.study, plan.study.forecast
    parameters = [variant.work.parameters for variant in variants]
    boxes = crops.all_predicted
    predictions = None if boxes is None else settings.bytes_per_prediction * boxes * len(variants) * study.seeds
    return [
        DiskItem("weights", settings.weights_bytes_per_parameter * sum(parameters) * study.seeds),
        DiskItem("predictions, at most", predictions),
        DiskItem(
            "checkpoints of one training, the largest",
            settings.checkpoint_bytes_per_parameter * max(parameters),
            passing=True,
        ),
    ]
