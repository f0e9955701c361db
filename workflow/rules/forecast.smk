import atexit
import sys

from transpose.forecast.jobs import Jobs


# Print a forecast of the jobs to run at the end of a dry run. Snakemake calls none of its hooks in a dry run (`onstart`,
# `onsuccess` and `onerror` are skipped), the jobs are known only after all files of rules were read, and a logger plugin
# would have to be installed and named by the user. So this is done at exit.
@atexit.register
def print_forecast():
    if not workflow.dryrun or workflow.dag is None:
        return
    planned = workflow.dag.needrun_jobs(exclude_finished=False)
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
