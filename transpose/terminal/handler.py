"""Log handler that shows a Snakemake run: its jobs, the time left, warnings and failures.

The log file that Snakemake writes below `.snakemake/log` has everything that is not shown. A dry run, `--verbose` and
`--debug-dag` have Snakemake's own output.
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from transpose.progress import clock
from transpose.terminal.job_log import JobLog, last_lines
from transpose.terminal.plain import Display, PlainDisplay, about
from transpose.terminal.remaining import RUN_PLAN, RunPlan
from transpose.terminal.state import RunningJob, RunState

SECONDS_BETWEEN_UPDATES = 1.0

_NOT_SHOWN = (
    "Assuming unrestricted shared filesystem usage",
    "Building DAG of jobs",
    "Using shell: ",
    "Group jobs: inactive",
    "Conda environments: ignored",
    "Singularity containers: ignored",
    "Select jobs to execute",
    "Shutting down, this might take some time",
    "Exiting because a job execution failed",
    "WorkflowError:\nAt least one job did not complete successfully",
    "RuleException:\nCalledProcessError",  # repeats the command of a failed job
    "Complete log(s): ",
    "Elapsed time: ",
)
"""First words of messages that say nothing new to a reader of the jobs and the closing lines."""


class LogHandler(LogHandlerBase):
    """Shows the jobs of a run on a terminal, or as plain lines where the error stream is not one."""

    def __post_init__(self) -> None:
        """Prepare; nothing is shown before the first job."""
        settings = self.common_settings
        self._stream: TextIO = sys.stdout if settings.stdout else sys.stderr
        self._own = self._own_output() if settings.dryrun or settings.verbose or settings.debug_dag else None
        self._state = RunState()
        self._display: Display = PlainDisplay(self._stream)
        self._ended = threading.Event()
        self._ticker: threading.Thread | None = None
        # Not the lock of logging, which keeps it while `close` waits for the ticker.
        self._drawing = threading.Lock()
        self._warnings = 0
        self._latest = ""
        self._log_file = "none"
        self._events: Mapping[Any, Callable[[Any], None]] = {
            LogEvent.JOB_INFO: self._start_job,
            LogEvent.JOB_FINISHED: self._finish_job,
            LogEvent.JOB_ERROR: self._fail_job,
            LogEvent.RUN_INFO: self._count_jobs,
            LogEvent.GROUP_INFO: self._show_formatted,
            LogEvent.GROUP_ERROR: self._show_formatted,
            LogEvent.SHELLCMD: self._show_message,
            LogEvent.ERROR: self._show_message,
            None: self._show_message,
        }

    @property
    def writes_to_stream(self) -> bool:
        """True: Snakemake adds no output of its own."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """False: Snakemake writes its log file itself."""
        return False

    @property
    def has_filter(self) -> bool:
        """False: `--quiet` applies as usual."""
        return False

    @property
    def has_formatter(self) -> bool:
        """False: Snakemake's formatter is used for what is shown as it is."""
        return False

    @property
    def needs_rulegraph(self) -> bool:
        """False: the workflow announces its jobs itself."""
        return False

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record, or note it for what is shown later."""
        try:
            if self._own is not None:
                self._own.setFormatter(self.formatter)
                self._own.emit(record)
            elif (show := self._events.get(getattr(record, "event", None))) is not None:
                with self._drawing:
                    show(record)
        # A closed terminal must not stop the run.
        except OSError:
            pass
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Show how the run ended."""
        if not self._ended.is_set():
            self._ended.set()
            if self._ticker is not None:
                self._ticker.join()
            with suppress(OSError):
                self._display.close()
                if self._state.begin is not None:
                    self._show_end(self._state.begin)
        super().close()

    def _own_output(self) -> logging.Handler:
        from snakemake.logging import ColorizingTextHandler

        return ColorizingTextHandler(self.common_settings.nocolor, self._stream)

    def _start_job(self, record: Any) -> None:
        now = time.monotonic()
        if self._ticker is None:
            self._show_begin(record, now)
        title = record.rule_msg or " ".join([record.rule_name, *map(str, record.wildcards.values())])
        # Not the time now: records wait for this thread, and the job has perhaps written its log meanwhile.
        log = JobLog(Path(record.log[0]) if record.log else None, record.created)
        job = RunningJob(title, record.rule_name, now, log, is_shown=bool(record.output))
        self._state.start(record.jobid, job)
        self._display.update(self._state, now)

    def _finish_job(self, record: Any) -> None:
        now = time.monotonic()
        if (job := self._state.finish(record.job_id, now)) is not None and job.is_shown:
            job.log.read(now)
            result = f" ({job.log.result})" if job.log.result else ""
            self._display.update(self._state, now)
            self._display.job(f"{clock(now - job.begin)}  {job.title}{result}")

    def _fail_job(self, record: Any) -> None:
        job = self._state.fail(record.jobid)
        title = job.title if job else record.rule_name
        self._state.failed.append(title)
        self._display.update(self._state, time.monotonic())
        lines = [f"Error in rule {record.rule_name}: {title}", *last_lines([Path(path) for path in record.log])]
        self._display.message("\n".join(lines), record.levelname)

    def _count_jobs(self, record: Any) -> None:
        self._state.total = record.stats["total"]

    def _show_formatted(self, record: logging.LogRecord) -> None:
        self._display.message(self.format(record), record.levelname)

    def _show_message(self, record: logging.LogRecord) -> None:
        plan: RunPlan | None = getattr(record, RUN_PLAN, None)
        if plan is not None:
            self._state.plan = plan
            self._state.total = self._state.total or len(plan.jobs)
            return
        text = record.getMessage().strip()
        # Snakemake repeats some messages for as long as it waits.
        if text and text != self._latest and not text.startswith(_NOT_SHOWN):
            self._latest = text
            self._warnings += record.levelno == logging.WARNING
            self._display.message(text, record.levelname)

    def _show_begin(self, record: logging.LogRecord, now: float) -> None:
        """Say what will run and where Snakemake's log is, and start to show what runs."""
        state = self._state
        state.begin = now
        self._log_file = _log_file(record)
        self._display.message(f"Snakemake's log: {self._log_file}")
        left = state.seconds_left(now)
        jobs = f"{state.total} job{'s' * (state.total != 1)}"
        self._display.message(jobs if left is None else f"{jobs}, {about(left)}")
        if _moves_the_cursor(self._stream):
            from transpose.terminal.live import LiveDisplay

            self._display = LiveDisplay(self._stream, has_colour=not self.common_settings.nocolor)
        self._ticker = threading.Thread(target=self._tick, name="terminal", daemon=True)
        self._ticker.start()

    def _tick(self) -> None:
        while not self._ended.wait(SECONDS_BETWEEN_UPDATES):
            try:
                with self._drawing:
                    now = time.monotonic()
                    self._state.read_logs(now)
                    self._display.update(self._state, now)
            except OSError:
                return

    def _show_end(self, begin: float) -> None:
        state, now = self._state, time.monotonic()
        if state.is_done:
            rules = ", ".join(f"{count} {rule}" for rule, count in state.finished.most_common() if count)
            self._display.message(f"Done in {clock(now - begin)}: {rules}")
        else:
            jobs = f"{state.ended} of {state.total} jobs done"
            self._display.message(f"Stopped after {clock(now - begin)}, {jobs}", "ERROR")
        for title in state.failed:
            self._display.message(f"failed: {title}", "ERROR")
        if self._warnings:
            self._display.message(f"warnings above: {self._warnings}", "WARNING")
        last = state.plan.closing_line if state.is_done else f"Snakemake's log: {self._log_file}"
        if last:
            self._display.message(last)


def _moves_the_cursor(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


def _log_file(record: logging.LogRecord) -> str:
    """Return the path of Snakemake's log file, relative to the working folder if it is in it."""
    for handler in logging.getLogger(record.name).handlers:
        if isinstance(handler, logging.FileHandler):
            path = Path(handler.baseFilename)
            return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
    return "none"
