"""Memory, disk and time that jobs request from a cluster. On one machine they limit nothing."""

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from transpose.config.download import Archive
from transpose.config.study import EvalSetting
from transpose.errors import InputError
from transpose.forecast.network import Networks
from transpose.forecast.persons import StudyCrops, count_crops
from transpose.forecast.plan import passes_of, speeds_of, training_memory, validations_of
from transpose.forecast.work import DeviceKind, Speed, Work
from transpose.study.job_threads import JobThreads
from transpose.study.plan import Plan

Request = Callable[..., int]
"""A resource of a rule: called with the job's wildcards and the number of the attempt, from 1 on; and with the job's
threads if it has an argument for them."""

LONGEST_TRAINING_MINUTES = 24 * 60
"""A longer training is continued from its checkpoint by the next attempt."""

_TORCH_MB, _IMPORT_MB, _LOADER_MB = 3000, 1000, 700
_ANNOTATION_BYTES = 12_000
"""Memory that reading the annotations takes, by labelled person; measured with files of COCO's form."""
_MARGIN = 2.0
"""Factor of a forecast's time: other jobs may share the node's disk and memory bandwidth."""
_START_MINUTES = 15


class RunWildcards(Protocol):
    """The wildcards of a rule with a variant."""

    variant: str


class SettingWildcards(RunWildcards, Protocol):
    """The wildcards of a rule that predicts a split."""

    dataset: str
    split: str
    boxes: str


def more_on_retry(amount: int) -> Request:
    """Return a request that doubles with each attempt."""
    return lambda wildcards, attempt: amount * 2 ** (attempt - 1)


SMALL: dict[str, Request] = {
    "mem_mb": more_on_retry(4000),
    "disk_mb": more_on_retry(2000),
    "runtime": more_on_retry(30),
}
"""Requests of a job that reads results and writes tables, metrics or records."""

RENDERING: dict[str, Request] = {
    "mem_mb": more_on_retry(8000),
    "disk_mb": more_on_retry(10000),
    "runtime": more_on_retry(120),
}
"""Requests of a job that renders people or reads all images of a split."""


@dataclass(frozen=True)
class JobRequests:
    """Requests of the jobs of a study whose cost depends on variants and data."""

    plan: Plan
    threads: JobThreads
    networks: Callable[[], Networks]
    """Called where a forecast is needed."""
    is_needed: Callable[[], bool]
    """Whether a cluster, or a dry run, reads the forecast. Otherwise networks are not measured, which takes seconds."""

    @cached_property
    def training(self) -> Mapping[str, Request]:
        """Requests of a training."""
        return {
            "mem_mb": self._training_mb,
            "disk_mb": self._training_disk_mb,
            "runtime": self._training_minutes,
            "cpus_per_task": self._training_cpus,
        }

    @cached_property
    def prediction(self) -> Mapping[str, Request]:
        """Requests of a prediction of one split."""
        return {**self.analysis, "runtime": self._prediction_minutes}

    @cached_property
    def analysis(self) -> Mapping[str, Request]:
        """Requests of another job that applies a model."""
        return {
            "mem_mb": self._model_mb,
            "disk_mb": more_on_retry(5000),
            "runtime": more_on_retry(240),
            "cpus_per_task": self._model_cpus,
        }

    def _training_mb(self, wildcards: RunWildcards, attempt: int) -> int:
        recipe = self.plan.recipes[wildcards.variant]
        training = recipe.training
        each = _TORCH_MB + training.workers * _LOADER_MB
        forecast = self._forecast
        if forecast is not None:
            each += (forecast.crops.train.number or 0) * _ANNOTATION_BYTES >> 20
        if forecast is not None and forecast.device == "CPU":
            each += training_memory(forecast.works[recipe.name], self.plan.study.forecast, "CPU") >> 20
        return 2 ** (attempt - 1) * (training.gpus * each + _IMPORT_MB)

    def _training_disk_mb(self, wildcards: RunWildcards, attempt: int) -> int:
        return 5000 * attempt + math.ceil(1000 * self.plan.recipes[wildcards.variant].training.image_cache_gb)

    def _model_mb(self, wildcards: RunWildcards, attempt: int) -> int:
        workers = self.plan.recipes[wildcards.variant].training.workers
        return 2 ** (attempt - 1) * (2 * _TORCH_MB + workers * _LOADER_MB)

    def _training_cpus(self, wildcards: RunWildcards, attempt: int) -> int:
        """Processors of each process, with those that load its images; Slurm's plugin reads them instead of threads."""
        return self.threads.training_process(wildcards.variant) + self._workers(wildcards)

    def _model_cpus(self, wildcards: RunWildcards, threads: int, attempt: int) -> int:
        return threads + self._workers(wildcards)

    def _workers(self, wildcards: RunWildcards) -> int:
        return self.plan.recipes[wildcards.variant].training.workers

    def _training_minutes(self, wildcards: RunWildcards, attempt: int) -> int:
        forecast = self._forecast
        if forecast is None or forecast.crops.train.number is None or forecast.crops.validation.number is None:
            return LONGEST_TRAINING_MINUTES
        training = self.plan.recipes[wildcards.variant].training
        passes = validations_of(training) * passes_of(self.plan)
        seconds = forecast.crops.train.number * training.epochs * forecast.training_seconds(wildcards.variant)
        seconds += forecast.crops.validation.number * passes * forecast.inference_seconds(wildcards.variant)
        return min(_minutes(seconds / training.gpus), LONGEST_TRAINING_MINUTES)

    def _prediction_minutes(self, wildcards: SettingWildcards, attempt: int) -> int:
        forecast, setting = self._forecast, EvalSetting(wildcards.dataset, wildcards.split, wildcards.boxes)
        crops = None if forecast is None else forecast.crops.predicted.get(setting)
        if forecast is None or crops is None or crops.number is None:
            return 240 * 2 ** (attempt - 1)
        seconds = crops.number * passes_of(self.plan) * forecast.inference_seconds(wildcards.variant)
        return _minutes(seconds) * 2 ** (attempt - 1)

    @property
    def _forecast(self) -> "_Forecast | None":
        return self._measured if self.is_needed() else None

    @cached_property
    def _measured(self) -> "_Forecast | None":
        recipes, networks = list(self.plan.recipes.values()), self.networks()
        works = {recipe.name: networks.work(recipe) for recipe in recipes}
        # The job that reads a wrong file reports it.
        with suppress(InputError):
            speeds = speeds_of(self.plan, recipes, works, networks)
            return _Forecast(networks.device, count_crops(self.plan), works, speeds)
        return None


@dataclass(frozen=True)
class _Forecast:
    device: DeviceKind
    crops: StudyCrops
    works: Mapping[str, Work]
    speeds: Mapping[str, Speed]

    def training_seconds(self, variant: str) -> float:
        """Seconds of a crop in training, on one device."""
        return 2 * self.works[variant].macs / self.speeds[variant].training

    def inference_seconds(self, variant: str) -> float:
        """Seconds of a crop in a forward pass, on one device."""
        return 2 * self.works[variant].macs / self.speeds[variant].inference


def download_mb(archive: Archive, unpacked_ratio: float) -> int:
    """Return the disk space of an archive and its unpacked files."""
    return math.ceil(archive.bytes * (1 + unpacked_ratio) / 1e6)


def _minutes(seconds: float) -> int:
    return _START_MINUTES + math.ceil(_MARGIN * seconds / 60)
