"""Log records of a Snakemake run as its plugins get them, recorded from Snakemake 9.27 and shortened."""

import logging
from typing import Any

from snakemake_interface_logger_plugins.common import LogEvent

from transpose.terminal.remaining import RUN_PLAN, RunPlan, TimedJob

PLAN = RunPlan(
    {
        0: TimedJob("all", 0.0, after=frozenset({1, 3})),
        1: TimedJob("train", 200.0, after=frozenset({2})),
        2: TimedJob("synthesise", 40.0),
        3: TimedJob("boxes", 4.0, after=frozenset({2})),
    },
    cores=2,
    closing_line="Table: transpose summary",
)


def record(event: LogEvent | None, message: str | None, level: int = logging.INFO, **fields: Any) -> logging.LogRecord:
    """Return a record with an event and its fields."""
    made = logging.LogRecord("snakemake.logging", level, "logging.py", 1, message, (), None)
    made.__dict__ |= ({} if event is None else {"event": event}) | fields
    return made


def begin() -> list[logging.LogRecord]:
    """Return the records before the first job."""
    announced = record(None, "Jobs to run: 4")
    setattr(announced, RUN_PLAN, PLAN)
    stats = "Job stats:\njob      count\n-----  -------\ntrain        1\ntotal        4\n"
    return [
        record(None, "Assuming unrestricted shared filesystem usage."),
        record(LogEvent.WORKFLOW_STARTED, "Workflow has started!", snakefile="Snakefile"),
        record(None, "Building DAG of jobs..."),
        record(None, "Using shell: /usr/bin/bash"),
        record(LogEvent.RESOURCES_INFO, "Provided cores: 2", cores=2),
        record(LogEvent.RESOURCES_INFO, "Rules claiming more threads will be scaled down."),
        record(None, "Group jobs: inactive (local execution)"),
        record(None, "Conda environments: ignored"),
        record(LogEvent.RUN_INFO, stats, stats={"train": 1, "total": 4}),
        announced,
        record(None, "Select jobs to execute..."),
        record(LogEvent.JOB_STARTED, "Execute 1 jobs...", jobs=[2]),
    ]


def started(number: int, rule: str, message: str | None, log: str | None = None) -> logging.LogRecord:
    """Return the record of a job that starts; its reason is long, as Snakemake's are."""
    fields = {
        "jobid": number,
        "rule_name": rule,
        "rule_msg": message,
        "wildcards": {"dataset": "toy", "split": "val"},
        "log": [log] if log else [],
        "output": [] if rule == "all" else [f"{rule}.json"],
        "reason": f"Params have changed since last execution: {'code:0123456789ab ' * 100}",
        "shellcmd": None,
    }
    return record(LogEvent.JOB_INFO, f" Rule: {rule}, Jobid: {number}", **fields)


def finished(number: int, done: int) -> list[logging.LogRecord]:
    """Return the records of a job that ends well."""
    return [
        record(LogEvent.JOB_FINISHED, f"Finished jobid: {number} (Rule: x)", job_id=number),
        record(LogEvent.PROGRESS, "None", done=done, total=113),
    ]


def failed(number: int, rule: str, log: str) -> list[logging.LogRecord]:
    """Return the records of a job that fails, and of the end of the run."""
    command = "CalledProcessError in file \"train.smk\", line 3:\nCommand 'set -euo pipefail; false' returned non-zero."
    fields = {
        "rule_name": rule,
        "rule_msg": None,
        "jobid": number,
        "log": [log],
        "shellcmd": "set -euo pipefail; false",
    }
    return [
        record(LogEvent.ERROR, f"RuleException:\n{command}", logging.ERROR, exception="RuleException"),
        record(LogEvent.JOB_ERROR, f"Error in rule {rule}, jobid: {number}", logging.ERROR, **fields),
        record(None, "Removing output files of failed job train since they might be corrupted:\nweights"),
        record(None, "Shutting down, this might take some time."),
        record(None, "Exiting because a job execution failed. Look above for error messages", logging.ERROR),
        *end(),
        record(LogEvent.ERROR, "WorkflowError:\nAt least one job did not complete successfully.", logging.ERROR),
    ]


def end() -> list[logging.LogRecord]:
    """Return the last records of a run."""
    return [
        record(None, "Complete log(s): /study/.snakemake/log/2026.snakemake.log"),
        record(None, "Elapsed time: 0:00:01.880551"),
    ]
