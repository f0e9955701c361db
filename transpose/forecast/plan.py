"""Forecast of time, memory and disk of a study's jobs."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from transpose.config.download import Archive
from transpose.config.forecast import ForecastSettings
from transpose.config.recipe import Recipe
from transpose.config.training import Training
from transpose.errors import InputError
from transpose.forecast.jobs import Jobs
from transpose.forecast.network import Networks
from transpose.forecast.persons import Crops, StudyCrops, count_crops
from transpose.forecast.work import DeviceKind, Speed, Work
from transpose.study.plan import Plan


@dataclass(frozen=True)
class Seconds:
    """Seconds on one device of all counted jobs of a variant; None if a number of persons is unknown."""

    train: float | None
    validate: float | None
    predict: float | None


@dataclass(frozen=True)
class VariantForecast:
    """Cost of one variant: time of all its jobs, memory of one training."""

    name: str
    work: Work
    speed: Speed
    training: Training
    trainings: int
    predictions: int
    seconds: Seconds
    memory_bytes: int | None
    """Peak memory of a training step; None without a training."""
    training_threads: int
    """CPU threads of each process of a training."""


@dataclass(frozen=True)
class DiskItem:
    """Bytes of one kind of file; None where unknown."""

    what: str
    bytes: int | None
    passing: bool = False
    """The file is removed before the study ends."""


@dataclass(frozen=True)
class StudyForecast:
    """The cost of jobs of a study, and the numbers and assumptions that it is based on."""

    device: DeviceKind
    variants: tuple[VariantForecast, ...]
    crops: StudyCrops
    prediction_threads: int
    """CPU threads of a prediction."""
    disk: tuple[DiskItem, ...]
    assumptions: ForecastSettings


def forecast_jobs(plan: Plan, jobs: Jobs, networks: Networks, archives: Mapping[str, Archive]) -> StudyForecast:
    """Forecast the cost of jobs of a study.

    Args:
        archives: table of downloads.

    Raises:
        InputError: an archive of the study is missing in the table, or an annotation or detection file is wrong.
    """
    crops = count_crops(plan)
    recipes = [recipe for name, recipe in plan.recipes.items() if name in jobs.variants()]
    works = {recipe.name: networks.work(recipe) for recipe in recipes}
    speeds = speeds_of(plan, recipes, works, networks)
    variants = tuple(
        _variant(plan, jobs, recipe, works[recipe.name], speeds[recipe.name], crops, networks) for recipe in recipes
    )
    disk = (*_downloads(plan, jobs, archives), *_results(plan, jobs, variants, crops))
    return StudyForecast(networks.device, variants, crops, networks.threads.prediction(), disk, plan.study.forecast)


def gpu_speed(settings: ForecastSettings) -> Speed:
    """Return the assumed speed of a GPU."""
    return Speed(
        training=settings.training_tflops * 1e12 / (1 + settings.backward_passes),
        inference=settings.inference_tflops * 1e12,
    )


def speeds_of(plan: Plan, recipes: Sequence[Recipe], works: Mapping[str, Work], networks: Networks) -> dict[str, Speed]:
    """Return the speed of each recipe's network, by name: measured on a CPU, assumed on a GPU."""
    if networks.device == "CPU":
        return networks.cpu_speeds(recipes, works)
    return dict.fromkeys(works, gpu_speed(plan.study.forecast))


def passes_of(plan: Plan) -> int:
    """Return the forward passes of a predicted crop: two with the flip test."""
    return 2 if plan.study.protocol.flip_test else 1


def validations_of(training: Training) -> int:
    """Return the number of validations of a training."""
    return math.ceil(training.epochs / training.validation_interval)


def training_memory(work: Work, settings: ForecastSettings, device: DeviceKind) -> int:
    """Compute memory in bytes at the end of a step's forward pass, where it peaks: state, kept values and overhead.

    On a CPU the process itself and images in memory come on top.
    """
    overhead = settings.overhead_bytes if device == "GPU" else 0
    return settings.state_bytes_per_parameter * work.parameters + work.kept_bytes + overhead


def _variant(
    plan: Plan, jobs: Jobs, recipe: Recipe, work: Work, speed: Speed, crops: StudyCrops, networks: Networks
) -> VariantForecast:
    settings, training, operations = plan.study.forecast, recipe.training, 2 * work.macs
    trainings = sum(run.variant == recipe.name for run in jobs.trainings)
    predicted = [crops.predicted[setting] for run, setting in jobs.predictions if run.variant == recipe.name]
    mirrored = passes_of(plan)
    train = _crops_of([crops.train] * trainings, training.epochs)
    validate = _crops_of([crops.validation] * trainings, validations_of(training) * mirrored)
    predict = _crops_of(predicted, mirrored)
    return VariantForecast(
        name=recipe.name,
        work=work,
        speed=speed,
        training=training,
        trainings=trainings,
        predictions=len(predicted),
        seconds=Seconds(
            _seconds(train, operations / speed.training, trainings * settings.start_seconds),
            _seconds(validate, operations / speed.inference, 0.0),
            _seconds(predict, operations / speed.inference, len(predicted) * settings.start_seconds),
        ),
        memory_bytes=training_memory(work, settings, networks.device) if trainings else None,
        training_threads=networks.threads.training_process(recipe.name),
    )


def _crops_of(splits: Iterable[Crops], passes: int) -> int | None:
    """Return the number of crops in all splits together, times a number of passes; None if one is unknown."""
    numbers = [crops.number for crops in splits]
    known = [number for number in numbers if number is not None]
    return passes * sum(known) if len(known) == len(numbers) else None


def _seconds(crops: int | None, seconds_of_crop: float, start: float) -> float | None:
    return None if crops is None else crops * seconds_of_crop + start


def _downloads(plan: Plan, jobs: Jobs, archives: Mapping[str, Archive]) -> list[DiskItem]:
    items = []
    for name in sorted(jobs.downloads | jobs.unpacked):
        if name not in archives:
            raise InputError(
                f"no archive {name!r}; known are {', '.join(archives)}", file="downloads", record="archives"
            )
        size = archives[name].bytes
        if name in jobs.downloads:
            items.append(DiskItem(f"download {name}", size))
        if name in jobs.unpacked:
            items.append(DiskItem(f"unpack {name}", round(size * plan.study.forecast.unpacked_ratio)))
    return items


def _results(plan: Plan, jobs: Jobs, variants: Sequence[VariantForecast], crops: StudyCrops) -> list[DiskItem]:
    settings, items = plan.study.forecast, []
    written = {variant.name: variant.work.parameters for variant in variants if variant.trainings}
    if written:
        weights = sum(variant.work.parameters * variant.trainings for variant in variants)
        largest = settings.checkpoint_bytes_per_parameter * max(written.values())
        items.append(DiskItem("weights", settings.weights_bytes_per_parameter * weights))
        items.append(DiskItem("checkpoints of one training, the largest", largest, passing=True))
    if jobs.predictions:
        boxes = _crops_of([crops.predicted[setting] for _, setting in jobs.predictions], passes=1)
        size = None if boxes is None else settings.bytes_per_prediction * boxes
        items.append(DiskItem("predictions, at most", size))
    return items
