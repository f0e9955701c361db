"""Expected durations of the jobs of a study, for the time left that the terminal shows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from transpose.errors import InputError
from transpose.forecast.jobs import Jobs
from transpose.forecast.network import Networks
from transpose.forecast.plan import forecast_jobs
from transpose.job_usage import read_usage, usages_by_rule
from transpose.study.plan import Plan

DEMO_SECONDS = {
    "all": 0.0,
    "synthesise": 30.0,
    "label_parts": 22.0,
    "faithfulness": 65.0,
    "attention_ablation": 37.0,
    "body_parts": 28.0,
    "dtypes": 31.0,
    "resolutions": 15.0,
    "explain": 7.0,
    "attention_statistics": 7.0,
    "protocol_ablation": 7.0,
    "viewer": 6.0,
}
"""Mean seconds of the demo's jobs on two cores, used until a job of the rule has ended."""

SHORT_SECONDS = 4.0
"""A job that reads results and writes a table or a record: mostly the start of Python and its libraries."""

_FORECAST = ("train", "predict")
_UNKNOWN = (*_FORECAST, "download_archive", "download_box_file", "download_listed_boxes", "download_weights", "unpack")
"""Rules whose jobs take seconds or days; none of the demo's durations says anything about them."""

Forecasts = Mapping[tuple[str, str], float]
"""Seconds of a job by rule and variant."""


@dataclass(frozen=True)
class Job:
    """A job of the workflow: its rule, wildcards and log, which ends with its duration."""

    rule: str
    wildcards: Mapping[str, str]
    log: Path | None


def expected_seconds(jobs: Sequence[Job], logs: Path, forecast: Callable[[list[Job]], Forecasts]) -> list[float | None]:
    """Return the expected seconds of each job; None if unknown.

    The last run of the same job counts, then other jobs of its rule, then the forecast, then the demo.

    Args:
        logs: folder of the study's logs, with a folder for each rule.
        forecast: called with the trainings and predictions that have no duration, if there are any.
    """
    means = _means(logs)
    seconds = [_seconds_in(job.log) or means.get(job.rule) for job in jobs]
    new = [job for job, known in zip(jobs, seconds, strict=True) if known is None and job.rule in _FORECAST]
    forecasts = forecast(new) if new else {}
    return [_without_log(job, forecasts) if known is None else known for job, known in zip(jobs, seconds, strict=True)]


def forecast_seconds(plan: Plan, jobs: Iterable[Job], networks: Networks) -> Forecasts:
    """Forecast the seconds of trainings and predictions; those with an unknown number of persons are left out."""
    counted = Jobs.of_rules(plan, ((job.rule, job.wildcards) for job in jobs))
    found: dict[tuple[str, str], float] = {}
    # The job that reads a wrong annotation file reports it.
    with suppress(InputError):
        for variant in forecast_jobs(plan, counted, networks, archives={}).variants:
            seconds = variant.seconds
            if variant.trainings and seconds.train is not None and seconds.validate is not None:
                found["train", variant.name] = (seconds.train + seconds.validate) / variant.trainings
            if variant.predictions and seconds.predict is not None:
                found["predict", variant.name] = seconds.predict / variant.predictions
    return found


def _seconds_in(log: Path | None) -> float | None:
    usage = read_usage(log)
    return usage.seconds if usage else None


def _means(logs: Path) -> dict[str, float]:
    """Return the mean seconds of each rule."""
    return {rule: sum(usage.seconds for usage in usages) / len(usages) for rule, usages in usages_by_rule(logs).items()}


def _without_log(job: Job, forecasts: Forecasts) -> float | None:
    if job.rule in _UNKNOWN:
        return forecasts.get((job.rule, job.wildcards.get("variant", "")))
    return DEMO_SECONDS.get(job.rule, SHORT_SECONDS)
