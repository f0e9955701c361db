import contextlib
import json
import logging
import sqlite3
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tracked_results import (
    DESTINATION,
    HISTORY,
    RECIPE,
    VARIANT,
    NoLogProcess,
    history_points,
    points,
    runs_of,
    write_training,
)

from transpose.files import folder_lock
from transpose.study.destination import database_uri
from transpose.study.layout import ResultsLayout, RunId
from transpose.tracking import LiveLogger, track_run
from transpose.tracking.log_process import follow
from transpose.training.interruption import Interrupted

pytestmark = pytest.mark.slow


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> NoLogProcess:
    pipe = NoLogProcess()
    monkeypatch.setattr("transpose.tracking.live._LogProcess", lambda: pipe)
    return pipe


@pytest.fixture
def header(results: Path, pipe: NoLogProcess) -> dict:
    """The first message of a live run."""
    with LiveLogger(results, DESTINATION, RECIPE, 0):
        return pipe.messages[0]


def lines(*messages: dict) -> list[str]:
    """Messages as the log process reads them."""
    return [json.dumps(message) + "\n" for message in messages]


def epochs(*numbers: int) -> list[dict]:
    """Messages of epochs."""
    return [{"epoch": HISTORY[number]} for number in numbers]


class TestTrainingSide:
    @pytest.mark.parametrize(
        ("error", "status"),
        [
            (None, "FINISHED"),
            (KeyboardInterrupt(), "KILLED"),
            (SystemExit(0), "KILLED"),
            (Interrupted(15), "KILLED"),
            (RuntimeError("out of memory"), "FAILED"),
        ],
    )
    def test_sends_how_training_ended(self, results: Path, pipe: NoLogProcess, error, status):
        with contextlib.suppress(type(error)), LiveLogger(results, DESTINATION, RECIPE, 0) as live:
            live.epoch(HISTORY[0])
            if error is not None:
                raise error
        assert pipe.messages[1:] == [{"epoch": HISTORY[0]}, {"status": status}]

    def test_goes_on_without_a_process(self, results: Path, monkeypatch, caplog):
        monkeypatch.setattr(sys, "executable", "/no/such/python")
        self.train(results, 2)
        assert len(caplog.records) == 1

    def test_goes_on_when_the_process_dies(self, results: Path, monkeypatch, caplog):
        monkeypatch.setattr(sys, "executable", "/bin/false")
        self.train(results, 2000)
        assert len(caplog.records) == 1

    def test_never_waits_for_a_process_that_does_not_read(self, results: Path, tmp_path: Path, monkeypatch, caplog):
        sleeper = tmp_path / "sleeper"
        sleeper.write_text("#!/bin/sh\nexec sleep 60\n")
        sleeper.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(sleeper))
        monkeypatch.setattr("transpose.tracking.live._PATIENCE_SECONDS", 0.1)
        begin = time.monotonic()
        self.train(results, 2000)
        assert time.monotonic() - begin < 5
        assert len(caplog.records) == 1

    def test_leaves_no_descriptor_open(self, results: Path, monkeypatch):
        monkeypatch.setattr(sys, "executable", "/bin/true")
        before = set(Path("/proc/self/fd").iterdir())
        self.train(results, 1)
        assert set(Path("/proc/self/fd").iterdir()) == before

    def train(self, results: Path, count: int) -> None:
        """Train for `count` epochs."""
        with LiveLogger(results, DESTINATION, RECIPE, 0) as live:
            for _ in range(count):
                live.epoch(HISTORY[2])


class TestFollower:
    def test_logs_epochs_and_the_final_status(self, results: Path, header: dict):
        follow(lines(header, *epochs(0, 1, 2), {"status": "FINISHED"}))
        (run,) = runs_of(results)
        assert run.info.status == "FINISHED"
        assert points(results, run, "training/loss") == history_points("loss")
        assert run.data.params["training.batch_size"] == "7"

    def test_a_vanished_training_was_killed(self, results: Path, header: dict):
        follow([*lines(header, *epochs(0)), '{"epoch": {"epo'])
        (run,) = runs_of(results)
        assert run.info.status == "KILLED"
        assert points(results, run, "training/loss") == history_points("loss", HISTORY[:1])

    def test_a_resumed_training_continues_without_repeated_epochs(self, results: Path, header: dict):
        follow(lines(header, *epochs(0, 1)))
        follow(lines(header, *epochs(1, 2), {"status": "FINISHED"}))
        (run,) = runs_of(results)
        assert run.info.status == "FINISHED"
        assert points(results, run, "training/loss") == history_points("loss")

    @pytest.mark.usefixtures("without_model")
    def test_tracking_afterwards_fills_gaps_only(self, results: Path, header: dict):
        follow(lines(header, *epochs(1), {"status": "FAILED"}))
        write_training(results)
        track_run(ResultsLayout(results), DESTINATION, RunId(VARIANT, 0))
        (run,) = runs_of(results)
        assert run.info.status == "FINISHED"
        assert points(results, run, "training/loss") == history_points("loss")

    def test_a_refused_second_trainer_leaves_the_first_running(self, results: Path, header: dict):
        with folder_lock(results / "train" / VARIANT / "seed0"):
            follow(lines(header, {"status": "FAILED"}))
        assert [run.info.status for run in runs_of(results)] == ["RUNNING"]

    def test_catches_up_when_the_database_comes_back(self, results: Path, header: dict, monkeypatch, caplog):
        monkeypatch.setattr("transpose.tracking.connection._DATABASE_SECONDS", 0.01)
        database = database_uri(results).removeprefix("sqlite:///")

        def messages():
            with closing(sqlite3.connect(database)) as locked:
                locked.execute("PRAGMA locking_mode = EXCLUSIVE")
                locked.execute("BEGIN EXCLUSIVE")
                yield from lines(header, *epochs(0, 1))
            yield from lines(*epochs(2), {"status": "FINISHED"})

        with caplog.at_level(logging.WARNING, "transpose"):
            follow(messages())
        (run,) = runs_of(results)
        assert points(results, run, "training/loss") == history_points("loss")
        assert len([record for record in caplog.records if record.name.startswith("transpose")]) == 1


def test_whole_way_to_the_database(results: Path, monkeypatch):
    monkeypatch.setattr("transpose.tracking.live._PATIENCE_SECONDS", 300)
    with contextlib.suppress(KeyboardInterrupt), LiveLogger(results, DESTINATION, RECIPE, 0) as live:
        live.epoch(HISTORY[0])
        raise KeyboardInterrupt
    (run,) = runs_of(results)
    assert run.info.status == "KILLED"
    assert points(results, run, "training/loss") == history_points("loss", HISTORY[:1])


def test_an_unreachable_server_costs_no_time(results: Path, monkeypatch, capfd):
    monkeypatch.setattr("transpose.tracking.live._PATIENCE_SECONDS", 300)
    begin = time.monotonic()
    with LiveLogger(results, replace(DESTINATION, store="http://127.0.0.1:9"), RECIPE, 0) as live:
        for record in HISTORY:
            live.epoch(record)
        assert time.monotonic() - begin < 2
    warnings = capfd.readouterr().err
    assert warnings.count("training continues") == 1
    assert "Traceback" not in warnings
