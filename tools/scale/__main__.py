"""Simulate a study on 8, 64 and 512 GPUs: time, idle share, cost, tracking writes and opened files.

python -m tools.scale config/studies/paper.yaml --gpus 8 --gpus 64 --gpus 512
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from tools.scale.schedule import Job, Schedule, schedule_jobs
from tools.scale.workflow import JobTimes, planned_jobs
from transpose.config.base import read_yaml
from transpose.errors import InputError
from transpose.forecast.network import MODULE, Networks
from transpose.provenance import PackageCode
from transpose.study.plan import Plan

CONFIG = Path("config")
DOLLARS = 2.0
"""Price of a GPU hour."""


def main(
    study: Annotated[Path, typer.Argument(help="A study's YAML file.")],
    gpus: Annotated[list[int], typer.Option(help="Number of GPUs; may be repeated.")],
    price: Annotated[float, typer.Option(help="Dollars for a GPU hour.")] = DOLLARS,
    seeds: Annotated[int | None, typer.Option(help="Trainings of each variant; default: the study's.")] = None,
    training_gpus: Annotated[int | None, typer.Option(help="GPUs of every training; default: the study's.")] = None,
    tflops: Annotated[float | None, typer.Option(help="TFLOP/s of a GPU; default: the study's.")] = None,
) -> None:
    """Print a line for each number of GPUs. Run it in the folder of the Snakefile."""
    try:
        print(simulate(study, gpus, price, changed_values(read_yaml(study), seeds, training_gpus, tflops)))
    except InputError as error:
        sys.exit(f"scale: {error}")


def changed_values(
    study: dict[str, Any], seeds: int | None, training_gpus: int | None, tflops: float | None
) -> dict[str, Any]:
    """Return the keys of a study that change, with their new values: its device, and what the options say."""
    training = study.get("training", {}) | {"device": "cuda"}
    changed: dict[str, Any] = {"training": training}
    if seeds is not None:
        changed["seeds"] = seeds
    if training_gpus is not None:
        training["gpus"] = training_gpus
        changed["overrides"] = {
            variant: values | {"gpus": training_gpus} for variant, values in study.get("overrides", {}).items()
        }
    if tflops is not None:
        speed = {"training_tflops": tflops, "inference_tflops": tflops}
        changed["forecast"] = study.get("forecast", {}) | speed
    return changed


def simulate(study: Path, gpus: Sequence[int], price: float, changed: dict[str, Any]) -> str:
    """Return a Markdown table with a row for each number of GPUs.

    Args:
        price: dollars for a GPU hour.
        changed: keys that replace those of the study.

    Raises:
        InputError: the study is wrong, or a job needs more GPUs than there are.
    """
    plan = Plan.of_config(read_yaml(study) | changed, CONFIG, str(study))
    times = JobTimes.of_study(plan, Networks.of_study(plan, PackageCode().digest(MODULE), "cuda"))
    jobs = times.jobs(planned_jobs(study, changed))
    return render([schedule_jobs(jobs, number) for number in gpus], price)


def render(schedules: Sequence[Schedule], price: float) -> str:
    """Return a Markdown table of schedules of the same jobs."""
    first = schedules[0]
    lines = [
        f"{len(first.jobs)} jobs, {first.gpu_seconds / 3600:,.0f} GPU hours;"
        f" the longest chain of jobs takes {first.critical_path / 86400:.1f} days",
        "",
        "| GPUs | days | idle share | cost of used hours | cost of all hours | tracking writes/s | images opened/s |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for schedule in schedules:
        used, paid = schedule.gpu_seconds / 3600, schedule.gpus * schedule.seconds / 3600
        lines.append(
            f"| {schedule.gpus} | {schedule.seconds / 86400:.1f} | {100 * schedule.idle_share:.0f} %"
            f" | ${used * price:,.0f} | ${paid * price:,.0f}"
            f" | {schedule.peak(_writes_per_second):.2g} | {schedule.peak(_images_per_second):,.0f} |"
        )
    return "\n".join(lines)


def _writes_per_second(job: Job) -> float:
    return job.writes / job.seconds


def _images_per_second(job: Job) -> float:
    return job.images / job.seconds


if __name__ == "__main__":
    typer.run(main)
