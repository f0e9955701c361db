import atexit
import sys


# `onstart` is silent in dry runs, and while this file is read nobody knows whether this is one: so the forecast comes
# last, where models are to be trained or downloaded. Jobs read this file too, but are no dry runs; reports, lint and unlocking
# have no executor, hence no dry run.
@atexit.register
def print_forecast():
    if not workflow.dryrun or workflow.dag is None:
        return
    planned = workflow.dag.needrun_jobs(exclude_finished=False)
    if any(job.rule.name in ("train", "import_checkpoint") for job in planned):
        from transpose.reporting.plan_text import render_plan

        try:
            text = render_plan(PLAN, Path("config/downloads.yaml"))
        except InputError as error:
            text = f"No forecast: {error}"
        print(f"\n{text}", file=sys.stderr)
