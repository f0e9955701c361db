import atexit
import sys


# Print a forecast at the end of a dry run if models will be trained or downloaded. `onstart` does not run in dry runs,
# and it is not known yet whether this is one when the file is read, so the check is at exit.
@atexit.register
def print_forecast():
    if not workflow.dryrun or workflow.dag is None:
        return
    planned = workflow.dag.needrun_jobs(exclude_finished=False)
    if any(job.rule.name in ("train", "import_checkpoint") for job in planned):
        from transpose.reporting.plan_text import render_plan

        try:
            text = render_plan(PLAN, Path("config/tables/downloads.yaml"))
        except InputError as error:
            text = f"No forecast: {error}"
        print(f"\n{text}", file=sys.stderr)
