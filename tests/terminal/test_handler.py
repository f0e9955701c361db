"""What is shown of a run's log records where the output is not a terminal."""

import logging
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from snakemake.logging import DefaultFilter, DefaultFormatter
from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.settings import OutputSettingsLoggerInterface

from snakemake_logger_plugin_transpose import LogHandler
from tests.terminal.recorded_run import begin, end, failed, finished, record, started
from transpose.terminal import handler, plain

FIRST = ["Snakemake's log: none", "4 jobs, about 4 min"]
CLOCK = re.compile(r"^\d\d:\d\d:\d\d  ", re.MULTILINE)


@dataclass
class Settings(OutputSettingsLoggerInterface):
    """Snakemake's settings of its output, as by default."""

    printshellcmds: bool = False
    nocolor: bool = False
    quiet: Sequence[Quietness] | None = ()
    debug_dag: bool = False
    verbose: bool = False
    show_failed_logs: bool = True
    stdout: bool = False
    dryrun: bool = False


Show = Callable[..., str]


class StoppedClock:
    """In the place of the module `time`."""

    def monotonic(self) -> float:
        return 1000.0


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Show:
    """Returns what a handler prints of records, without the time of day."""

    monkeypatch.setattr(handler, "time", StoppedClock())
    monkeypatch.setattr(plain, "time", StoppedClock())
    monkeypatch.setattr(handler, "SECONDS_BETWEEN_UPDATES", 1000.0)

    def shown(records: Iterable[logging.LogRecord], settings: Settings | None = None) -> str:
        settings = settings or Settings()
        made = LogHandler(settings, None)
        made.addFilter(DefaultFilter(set(settings.quiet or ()), False, settings.verbose, settings.dryrun, False))
        made.setFormatter(DefaultFormatter(set(settings.quiet or ())))
        for one in records:
            made.handle(one)
        made.close()
        made.close()
        printed = capsys.readouterr()
        assert not (printed.err if settings.stdout else printed.out)
        return CLOCK.sub("", printed.out if settings.stdout else printed.err)

    return shown


def test_a_run_is_one_line_a_job(show: Show, tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_text("epoch 1/1 step 1/2 loss 0.1 ETA 0:01:30\nepoch 1/1 done: loss 0.05, validation AP 0.396\n")
    records = [
        *begin(),
        started(2, "synthesise", "Render toy val"),
        *finished(2, 1),
        started(1, "train", "Train r_sine, seed 0", str(log)),
        started(3, "boxes", None),
        *finished(3, 2),
        *finished(1, 3),
        started(0, "all", None),
        *finished(0, 4),
        *end(),
    ]
    assert show(records).splitlines() == [
        *FIRST,
        "0:00:00  Render toy val",
        "0:00:00  boxes toy val",
        "0:00:00  Train r_sine, seed 0 (AP 0.396)",
        "Done in 0:00:00: 1 synthesise, 1 boxes, 1 train",
        "Table: transpose summary",
    ]


def test_a_failure_names_rule_and_log_with_its_last_lines(show: Show, tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_text("epoch 1/1 step 1/2 loss 0.1 ETA 0:01:30\ntranspose: val.json: broken\n")
    records = [*begin(), started(1, "train", "Train r_sine, seed 0", str(log)), *failed(1, "train", str(log))]
    assert show(records).splitlines() == [
        *FIRST,
        "Error in rule train: Train r_sine, seed 0",
        f"  log: {log}:",
        "epoch 1/1 step 1/2 loss 0.1 ETA 0:01:30",
        "transpose: val.json: broken",
        "Removing output files of failed job train since they might be corrupted:",
        "weights",
        "Stopped after 0:00:00, 0 of 4 jobs done",
        "failed: Train r_sine, seed 0",
        "Snakemake's log: none",
    ]


def test_warnings_stay_and_are_counted(show: Show) -> None:
    warning = record(None, "Your conda installation is too old", logging.WARNING)
    printed = show([*begin(), started(2, "synthesise", "Render"), warning, *finished(2, 1)])
    assert "Your conda installation is too old\n" in printed
    assert "warnings above: 1\n" in printed


def test_a_message_that_snakemake_repeats_is_shown_once(show: Show) -> None:
    waiting = "Will exit after finishing currently running jobs (scheduler)."
    records = [*begin(), *(record(None, waiting, logging.WARNING) for _ in range(3))]
    assert show(records).count(waiting) == 1


def test_a_run_stopped_by_its_user_says_how_far_it_came(show: Show) -> None:
    stopped = record(None, "Terminating processes on user request, this might take some time.")
    printed = show([*begin(), started(2, "synthesise", "Render"), stopped])
    assert printed.splitlines()[2:4] == [stopped.getMessage(), "Stopped after 0:00:00, 0 of 4 jobs done"]


def test_messages_of_a_run_without_jobs_are_printed(show: Show) -> None:
    nothing = "Nothing to be done (all requested files are present and up to date)."
    wrong = 'WorkflowError in file "common.smk", line 3:\nconfig.yaml: seedz: unknown key'
    assert show([record(None, nothing)]) == f"{nothing}\n"
    assert show([record(LogEvent.ERROR, wrong, logging.ERROR)]) == f"{wrong}\n"


def test_quiet_is_quiet(show: Show) -> None:
    run = [*begin(), started(2, "synthesise", "Render"), *finished(2, 1), *end()]
    assert show(run, Settings(quiet=[Quietness.ALL])) == ""
    assert show(run, Settings(quiet=[Quietness.RULES, Quietness.PROGRESS])) == ""


def test_a_dry_run_has_snakemakes_own_output(show: Show) -> None:
    stats = record(LogEvent.RUN_INFO, "Job stats:\njob      count", stats={})
    building = record(None, "Building DAG of jobs...")
    printed = show([building, stats], Settings(dryrun=True, stdout=True))
    assert printed.splitlines() == ["Building DAG of jobs...", "Job stats:", "job      count"]


def test_a_minute_without_news_is_a_line_with_all_running_jobs(
    show: Show, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = tmp_path / "train.log"
    log.write_text("epoch 1/2 step 1/2 loss 0.1 ETA 0:01:30\nepoch 1/2 done: loss 0.05, validation AP 0.396\n")
    monkeypatch.setattr(plain, "SECONDS_BETWEEN_LINES", 0.0)
    records = [*begin(), started(1, "train", "Train r_sine", str(log)), started(2, "synthesise", "Render")]
    line = show(records).splitlines()[-3]
    expected = "0 %, 0 of 4 jobs, 0:00:00 elapsed, about 4 min left; running: Train r_sine: 0:00:00 of 0:03:20; "
    assert line == expected + "Render: 0:00:00 of 0:00:40"


def test_a_closed_terminal_stops_nothing(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed:
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

        def isatty(self) -> bool:
            return False

        def flush(self) -> None:
            """Nothing is buffered."""

    monkeypatch.setattr(sys, "stderr", Closed())
    assert show([*begin(), started(2, "synthesise", "Render"), *finished(2, 1), *end()]) == ""
