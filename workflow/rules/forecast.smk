import atexit
import math
import sys

from snakemake.logging import logger

from transpose.forecast.job_times import Job, expected_seconds, forecast_seconds
from transpose.forecast.jobs import Jobs
from transpose.study.causes import PlannedJob, render_causes
from transpose.terminal.remaining import RUN_PLAN, RunPlan, TimedJob


def planned_again(jobs):
    """Yield the jobs that Snakemake itself has a cause for, and whose outputs exist."""
    for job in jobs:
        reason = workflow.dag.reason(job)
        changed = reason.params_changed
        if reason.missing_output or reason.nooutput or reason.noio:
            continue
        yield PlannedJob(
            job.rule.name,
            job.wildcards_dict,
            old_params=changed.only_old if changed else (),
            new_params=changed.only_new if changed else (),
            new_files=list(map(str, reason.updated_input)),
            is_forced=reason.forced,
        )


def is_watched():
    """Whether the logger plugin of `profiles/default` draws on a terminal."""
    output = workflow.output_settings
    has_plugin = "transpose" in output.log_handler_settings
    return has_plugin and not output.quiet and sys.stderr.isatty()


def forecast_of(jobs):
    """Forecast trainings and predictions for a reader at a terminal; on a CPU it takes seconds of measurements."""
    if not is_watched():
        return {}
    print("Timing the networks for an estimate, once ...", file=sys.stderr)
    return forecast_seconds(PLAN, jobs, networks())


def announce_jobs():
    """Log the jobs to run with their expected times, for the logger plugin of `profiles/default`."""
    planned = {job.jobid: job for job in workflow.dag.needrun_jobs()}
    jobs = [
        Job(job.rule.name, job.wildcards_dict, Path(job.log[0]) if job.log else None)
        for job in planned.values()
    ]
    seconds = expected_seconds(jobs, LAYOUT.log("*").parent, forecast_of)
    timed = {
        number: TimedJob(
            job.rule.name,
            expected,
            job.threads,
            job.resources.get("gpu", 0),
            {other.jobid for other in workflow.dag.dependencies[job]} & planned.keys(),
        )
        for (number, job), expected in zip(planned.items(), seconds)
    }
    limits = workflow.global_resources
    cores = workflow.resource_settings.cores or math.inf
    gpus = limits["gpu"].value if "gpu" in limits else math.inf
    is_whole = any(job.rule.name == "all" for job in planned.values())
    summary = f"Table, findings and where to read more: transpose summary --results {LAYOUT.root}"
    plan = RunPlan(timed, cores, gpus, closing_line=summary if is_whole else "")
    logger.info(f"Jobs to run: {len(timed)}", extra={RUN_PLAN: plan})


# Print a forecast of the jobs to run at the end of a dry run. Snakemake calls none of its hooks in a dry run (`onstart`,
# `onsuccess` and `onerror` are skipped), and the jobs are known only after all files of rules were read. So this is done
# at exit.
@atexit.register
def print_forecast():
    if not workflow.dryrun or workflow.dag is None:
        return
    planned = list(workflow.dag.needrun_jobs(exclude_finished=False))
    if causes := render_causes(planned_again(planned), PLAN, TRAINING_KEYS):
        print(f"\n{causes}", file=sys.stderr)
    jobs = Jobs.of_rules(PLAN, ((job.rule.name, job.wildcards_dict) for job in planned))
    if not jobs:
        return
    from transpose.forecast.network import MODULE, Networks
    from transpose.reporting.plan_text import render_plan

    try:
        networks = Networks.of_study(PLAN, CODE.digest(MODULE), threads=THREADS)
        subject = f"the jobs to run of study {PLAN.study.name!r}"
        text = render_plan(PLAN, jobs, networks, Path(DOWNLOADS), subject)
    except InputError as error:
        text = f"No forecast: {error}"
    print(f"\n{text}", file=sys.stderr)
