import atexit
import sys

from transpose.forecast.jobs import Jobs
from transpose.study.causes import PlannedJob, render_causes


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


# Print a forecast of the jobs to run at the end of a dry run. Snakemake calls none of its hooks in a dry run (`onstart`,
# `onsuccess` and `onerror` are skipped), the jobs are known only after all files of rules were read, and a logger plugin
# would have to be installed and named by the user. So this is done at exit.
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
        networks = Networks.of_study(PLAN, CODE.digest(MODULE))
        subject = f"the jobs to run of study {PLAN.study.name!r}"
        text = render_plan(PLAN, jobs, networks, Path(DOWNLOADS), subject)
    except InputError as error:
        text = f"No forecast: {error}"
    print(f"\n{text}", file=sys.stderr)
