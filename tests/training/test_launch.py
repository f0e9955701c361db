"""What became of several processes, as one exit status; and who of them speaks."""

import io
import sys
from pathlib import Path

import pytest
import typer
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure

from tests.training.processes import results_of
from transpose.cli.training import main_process_errors
from transpose.errors import InputError
from transpose.training import launch
from transpose.training.distributed import LostProcessError, ProcessGroup
from transpose.training.interruption import Interrupted
from transpose.training.loop import DivergedError

pytestmark = pytest.mark.slow


def launch_that_ends_with(monkeypatch: pytest.MonkeyPatch, *codes: int) -> int:
    failures = {
        rank: ProcessFailure(local_rank=rank, pid=1, exitcode=code, error_file="")
        for rank, code in enumerate(codes)
        if code
    }

    def run(*_: object) -> None:
        raise ChildFailedError("transpose", failures)

    monkeypatch.setattr(launch, "elastic_launch", lambda *_: run)
    return launch.launch(["train"], len(codes))


# The launcher ends the processes that are left by SIGTERM.
@pytest.mark.parametrize(("codes", "status"), [((0, 1), 1), ((-15, 1), 1), ((143, 143), 143), ((-15, -15), 143)])
def test_the_status_is_that_of_the_process_that_failed(
    monkeypatch: pytest.MonkeyPatch, codes: tuple[int, ...], status: int
) -> None:
    assert launch_that_ends_with(monkeypatch, *codes) == status


def test_a_killed_process_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"^training: process 1: was killed by SIGKILL; run the same command"):
        launch_that_ends_with(monkeypatch, 1, -9)


def report(group: ProcessGroup, error: Exception) -> tuple[int, str]:
    sys.stderr = io.StringIO()
    try:
        with main_process_errors(group, Path("folder")):
            raise error
    except typer.Exit as end:
        return end.exit_code, sys.stderr.getvalue()


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (InputError("is wrong", file="file", record=3), 1, "transpose: file: 3: is wrong\n"),
        (DivergedError(0, 1, [7]), 1, "transpose: folder: the loss is not finite at epoch 0 step 1; annotation ids"),
        (Interrupted(15), 143, "stopped by SIGTERM"),
        (Interrupted(1), 129, "stopped by SIGHUP"),
    ],
)
def test_only_the_main_process_reports_and_all_have_the_same_status(error: Exception, status: int, line: str) -> None:
    leader, other = results_of(2, report, error)
    assert (leader[0], other) == (status, (status, ""))
    assert leader[1].startswith(line)
    assert leader[1].count("\n") == 1


def test_the_main_process_reports_a_lost_process() -> None:
    with pytest.raises(InputError, match=r"^folder: another process of this training has ended"):
        report(ProcessGroup(0, 2), LostProcessError())
    assert report(ProcessGroup(1, 2), LostProcessError()) == (1, "")


def test_the_first_process_that_answers_reports_the_ones_that_do_not() -> None:
    error = LostProcessError([0, 2], 4, 600)
    with pytest.raises(InputError, match=r"^folder: processes 0, 2 of 4 \(counted from 0\) did not answer for 600 s"):
        report(ProcessGroup(1, 4), error)
    assert report(ProcessGroup(3, 4), error) == (1, "")
