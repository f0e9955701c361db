"""The jobs of a study's workflow, with the time that each takes by the forecast."""

import atexit
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snakemake.api import SnakemakeApi
from snakemake.settings.enums import Quietness
from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, ResourceSettings

from tools.scale.schedule import Job
from transpose.config.study import EvalSetting
from transpose.forecast.network import Networks
from transpose.forecast.persons import StudyCrops, count_crops
from transpose.forecast.plan import passes_of, speeds_of, validations_of
from transpose.forecast.work import Speed, Work
from transpose.study.plan import Plan

ANALYSIS_PREDICTIONS = 10
"""Assumed time of an analysis of a trained model, in predictions of the same boxes."""
OTHER_SECONDS = 60.0
"""Assumed time of a job that is neither a training nor a prediction nor an analysis."""
_REQUESTS_PER_EPOCH = 1
_ANALYSES = frozenset(
    {
        *("protocol_ablation", "resolutions", "dtypes"),
        *("attention_statistics", "faithfulness", "attention_ablation", "body_parts"),
    }
)


@dataclass(frozen=True)
class PlannedJob:
    """A job of the workflow as Snakemake plans it."""

    name: str
    rule: str
    wildcards: Mapping[str, str]
    gpus: int
    after: frozenset[str]


def planned_jobs(study: Path, values: Mapping[str, Any]) -> list[PlannedJob]:
    """Plan all jobs of a study as on a cluster, whether their results exist or not. Nothing is run.

    Args:
        study: the study's YAML file.
        values: keys that replace those of the study.
    """
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(nodes=100),
            config_settings=ConfigSettings(configfiles=[study], config=dict(values)),
            snakefile=Path("Snakefile"),
        )
        # No public call returns the jobs.
        workflow.dag(DAGSettings(forceall=True)).execute_workflow(executor="dryrun")
        internal = workflow._workflow
        # The forecast that ends a dry run would measure this machine's CPU.
        atexit.unregister(internal.globals["print_forecast"])
        dag: Any = internal.dag
        names = {job: f"{job.rule.name} {' '.join(job.wildcards_dict.values())}".strip() for job in dag.jobs}
        return [
            PlannedJob(
                name,
                job.rule.name,
                dict(job.wildcards_dict),
                job.resources.get("gpu", 0),
                frozenset(names[earlier] for earlier in dag.dependencies[job]),
            )
            for job, name in names.items()
        ]


@dataclass(frozen=True)
class JobTimes:
    """Times of a study's jobs on GPUs of the speed that the study assumes."""

    plan: Plan
    crops: StudyCrops
    works: Mapping[str, Work]
    speeds: Mapping[str, Speed]

    @classmethod
    def of_study(cls, plan: Plan, networks: Networks) -> "JobTimes":
        """Count the crops and the work of a study's networks.

        Raises:
            InputError: an annotation or detection file is wrong.
        """
        recipes = list(plan.recipes.values())
        works = {recipe.name: networks.work(recipe) for recipe in recipes}
        return cls(plan, count_crops(plan), works, speeds_of(plan, recipes, works, networks))

    def jobs(self, planned: Iterable[PlannedJob]) -> list[Job]:
        """Return the jobs with their times.

        The GPUs of a training share its persons, without loss. Data, weights and boxes are assumed to be on the disk.
        """
        return [self._job(job) for job in planned]

    def _job(self, job: PlannedJob) -> Job:
        if job.rule == "train":
            return self._training(job)
        if job.rule == "predict":
            return Job(job.name, self._prediction_seconds(job.wildcards), job.gpus, job.after)
        if job.rule in _ANALYSES:
            seconds = ANALYSIS_PREDICTIONS * self._prediction_seconds(job.wildcards)
            return Job(job.name, seconds, job.gpus, job.after)
        return Job(job.name, OTHER_SECONDS, job.gpus, job.after)

    def _training(self, job: PlannedJob) -> Job:
        variant = job.wildcards["variant"]
        training, operations = self.plan.recipes[variant].training, 2 * self.works[variant].macs
        trained = (self.crops.train.number or 0) * training.epochs
        validated = (self.crops.validation.number or 0) * validations_of(training)
        seconds = trained * operations / self.speeds[variant].training
        seconds += validated * passes_of(self.plan) * operations / self.speeds[variant].inference
        return Job(
            job.name,
            self.plan.study.forecast.start_seconds + seconds / max(1, job.gpus),
            job.gpus,
            job.after,
            images=trained + validated,
            writes=_REQUESTS_PER_EPOCH * training.epochs,
        )

    def _prediction_seconds(self, wildcards: Mapping[str, str]) -> float:
        """Return the time of one prediction; a split of unknown size counts as the largest that is known."""
        variant = wildcards["variant"]
        setting = EvalSetting(wildcards["dataset"], wildcards["split"], wildcards["boxes"])
        known = [crops.number for crops in self.crops.predicted.values() if crops.number is not None]
        crops = self.crops.predicted.get(setting)
        number = crops.number if crops is not None and crops.number is not None else max(known, default=0)
        operations = 2 * self.works[variant].macs * number * passes_of(self.plan)
        return self.plan.study.forecast.start_seconds + operations / self.speeds[variant].inference
