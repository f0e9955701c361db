"""Size and speed of the network of a recipe, from a cache or from the network itself."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from transpose.config.recipe import Recipe
from transpose.forecast.cache import FOLDER, MeasurementCache
from transpose.forecast.work import DeviceKind, Speed, Work
from transpose.machine import cpu_name, has_gpu, usable_cores
from transpose.study.job_threads import JobThreads
from transpose.study.plan import Plan

MODULE = "transpose.forecast.measure"
"""The module that builds and measures networks; the cache is valid for its code and all that it imports."""

MEASURED_OPERATIONS = 5e9
"""Forward and backward operations of the steps that are timed. They take a CPU core about 0.1 s."""


def device_kind(device: str) -> DeviceKind:
    """Return where a network runs with `device` of a recipe, without asking torch."""
    if device == "auto":
        return "GPU" if has_gpu() else "CPU"
    return "CPU" if device == "cpu" else "GPU"


@dataclass(frozen=True)
class Networks:
    """Networks of recipes with `keypoints` heatmaps, on a kind of device.

    Nothing about an architecture is assumed: all numbers come from the model that the recipe builds.
    """

    cache: MeasurementCache
    keypoints: int
    device: DeviceKind
    threads: JobThreads
    """CPU threads of the study's jobs."""

    @classmethod
    def of_study(
        cls, plan: Plan, code: str, device: str | None = None, threads: JobThreads | None = None
    ) -> "Networks":
        """Return the networks of a study with the cache in `FOLDER`.

        Args:
            code: digest of `MODULE` and of all that it imports.
            device: instead of the study's device.
            threads: CPU threads of the study's jobs; those of jobs that share this machine's cores by default.
        """
        cache = MeasurementCache(FOLDER, code, version("torch"))
        kind = device_kind(device or plan.study.training.device)
        threads = threads or JobThreads(plan, usable_cores(), are_shared=True, on_gpu=kind == "GPU")
        return cls(cache, plan.data.keypoints(), kind, threads)

    def work(self, recipe: Recipe) -> Work:
        """Count the work of a recipe's network."""

        def measure() -> Work:
            from transpose.forecast.measure import count_work

            return count_work(recipe, self.keypoints, self.device)

        return self.cache.get(Work, self._key(recipe), measure)

    def cpu_speeds(self, recipes: Iterable[Recipe], works: Mapping[str, Work]) -> dict[str, Speed]:
        """Measure the speed of networks on this machine's CPU, by name of the recipe.

        Training steps of large networks would take minutes. These networks get the speed of the largest that is
        measured: of the largest whose step of one crop is short, or of the smallest of all.

        Args:
            works: their work, by name of the recipe.
        """
        ascending = sorted(recipes, key=lambda recipe: works[recipe.name].macs)
        short = [recipe for recipe in ascending if 6 * works[recipe.name].macs <= MEASURED_OPERATIONS]
        measured = {recipe.name: self._cpu_speed(recipe, works[recipe.name]) for recipe in short or ascending[:1]}
        largest = list(measured.values())[-1:]
        return {recipe.name: measured.get(recipe.name, *largest) for recipe in ascending}

    def _cpu_speed(self, recipe: Recipe, work: Work) -> Speed:
        training, prediction = self.threads.training_process(recipe.name), self.threads.prediction()

        def measure() -> Speed:
            from transpose.forecast.measure import time_network

            batch = min(recipe.training.batch_size, max(1, round(MEASURED_OPERATIONS / (6 * work.macs))))
            return time_network(recipe, self.keypoints, work, batch, training, prediction)

        machine = {"cpu": cpu_name(), "training_threads": training, "threads": prediction}
        return self.cache.get(Speed, self._key(recipe) | machine, measure)

    def _key(self, recipe: Recipe) -> dict[str, Any]:
        """Everything in a recipe that decides its network, and the size and precision of its training steps."""
        training = {"batch_size", "dtype", "dropout", "attention_dropout", "freeze_backbone"}
        return {
            "variant": recipe.variant.model_dump(mode="json", exclude={"title", "published", "released"}),
            "training": recipe.training.model_dump(mode="json", include=training),
            "keypoints": self.keypoints,
            "device": self.device,
        }
