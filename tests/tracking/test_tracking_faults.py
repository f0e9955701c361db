"""Whatever becomes of MLflow's database, disk or server costs a training seconds; `track` makes up for it."""

import shutil
import socket
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import OperationalError
from tracked_results import (
    DESTINATION,
    HISTORY,
    RECIPE,
    VARIANT,
    history_points,
    points,
    runs_of,
    write_metrics,
    write_training,
)

from tests.helpers.small_disk import SmallDisk
from transpose.errors import InputError
from transpose.study.destination import database_uri
from transpose.study.layout import ResultsLayout, RunId
from transpose.tracking import LiveLogger, initialise_database, track_run
from transpose.tracking.connection import tracking_errors
from transpose.tracking.experiment import Experiment

pytestmark = pytest.mark.slow

PATIENT = 60.0
"""Seconds in which the log process has ended by itself; without them a test might cut it off."""


def train(results: Path) -> None:
    """A training as far as MLflow is concerned."""
    with LiveLogger(results, DESTINATION, RECIPE, 0) as live:
        for record in HISTORY:
            live.epoch(record)


def assert_level(results: Path) -> None:
    """`track_run` brings MLflow level with the files, and a second call finds nothing to add."""
    write_training(results)
    track_run(ResultsLayout(results), DESTINATION, RunId(VARIANT, 0))
    (run,) = runs_of(results)
    assert run.info.status == "FINISHED"
    assert points(results, run, "training/loss") == history_points("loss")
    assert track_run(ResultsLayout(results), DESTINATION, RunId(VARIANT, 0))["added"] == 0


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name.startswith("transpose")]


@pytest.mark.usefixtures("without_model")
def test_a_locked_database_costs_patience_only(
    results: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Enough for a process to start and to fill a database that is not locked.
    monkeypatch.setattr("transpose.tracking.live._PATIENCE_SECONDS", 5.0)
    with closing(sqlite3.connect(results / "mlflow.db")) as locked:
        locked.execute("PRAGMA locking_mode = EXCLUSIVE")
        locked.execute("BEGIN EXCLUSIVE")
        train(results)
        assert warnings_of(caplog) == ["not all of this training is in MLflow yet: no answer within 5 s"]
    assert_level(results)


@pytest.mark.usefixtures("without_model")
def test_a_server_that_accepts_and_never_answers_is_left_alone(
    results: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("transpose.tracking.live._PATIENCE_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        destination = replace(DESTINATION, store=f"http://127.0.0.1:{mute.getsockname()[1]}")
        with LiveLogger(results, destination, RECIPE, 0) as live:
            # Its process has come as far as asking, and is not answered.
            connection, _ = mute.accept()
            for record in HISTORY:
                live.epoch(record)
            begin = time.monotonic()
        connection.close()
        assert time.monotonic() - begin < PATIENT
    assert warnings_of(caplog) == ["not all of this training is in MLflow yet: no answer within 1 s"]
    assert_level(results)


@pytest.mark.usefixtures("without_model")
@pytest.mark.parametrize("damage", ["full", "read-only"])
def test_a_disk_that_takes_no_database_is_reported_once(
    results: Path,
    small_disk: SmallDisk,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    damage: str,
) -> None:
    monkeypatch.setattr("transpose.tracking.live._PATIENCE_SECONDS", PATIENT)
    on_disk = Path(shutil.copytree(results, small_disk.folder / "results"))
    if damage == "full":
        small_disk.leave(0)
    else:
        small_disk.forbid_writing()
    train(on_disk)
    warnings = capfd.readouterr().err
    assert warnings.count("training continues, `transpose track` will catch up") == 1
    assert "Traceback" not in warnings
    if damage == "full":
        small_disk.clear()
        write_training(on_disk)
        small_disk.leave(0)
        with pytest.raises(InputError, match=r"tracking failed: .*disk is full"):
            track_run(ResultsLayout(on_disk), DESTINATION, RunId(VARIANT, 0))
        small_disk.clear()
        assert_level(on_disk)


def save_two_megabytes(*arguments: object) -> None:
    (folder,) = (argument for argument in arguments if isinstance(argument, Path) and argument.name == "model")
    folder.mkdir()
    for name in ("MLmodel", "first", "second"):
        (folder / name).write_bytes(bytes(700_000))


def test_a_model_that_does_not_fit_leaves_nothing(
    results: Path, small_disk: SmallDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transpose.tracking.model._save", save_two_megabytes)
    write_training(results)
    on_disk = small_disk.folder / "results"
    shutil.copytree(results, on_disk)
    small_disk.leave(1_800_000)
    for _ in range(2):
        with pytest.raises(InputError, match=r"tracking failed: .*No space left"):
            track_run(ResultsLayout(on_disk), DESTINATION, RunId(VARIANT, 0))
        assert not [path for path in (on_disk / "mlartifacts").rglob("*") if path.is_file()]
    small_disk.clear()
    track_run(ResultsLayout(on_disk), DESTINATION, RunId(VARIANT, 0))
    assert len(list((on_disk / "mlartifacts" / "models").rglob("second"))) == 1


def test_a_locked_database_is_named_whatever_line_says_so() -> None:
    locked = OperationalError("INSERT", {}, sqlite3.OperationalError("database is locked"))
    locked.add_detail("raised as a result of Query-invoked autoflush; consider using a session.no_autoflush block")
    error = MlflowException(str(locked))
    assert "locked" not in str(error).splitlines()[0]
    error.__cause__ = locked
    with pytest.raises(InputError) as caught, tracking_errors("sqlite:///mlflow.db"):
        raise error
    expected = "sqlite:///mlflow.db: tracking failed: database is locked; another process is writing to it"
    assert str(caught.value) == expected


@pytest.mark.usefixtures("without_model")
def test_two_jobs_may_describe_the_experiment_at_once(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_tag, calls = MlflowClient.set_experiment_tag, []

    def fail_once(client: MlflowClient, experiment_id: str, key: str, value: object) -> None:
        calls.append(key)
        if calls.count(key) == 1:
            raise MlflowException("UNIQUE constraint failed: experiment_tags.key, experiment_tags.experiment_id")
        set_tag(client, experiment_id, key, value)

    monkeypatch.setattr(MlflowClient, "set_experiment_tag", fail_once)
    experiment = Experiment.open(DESTINATION, results)
    tags = experiment.client.get_experiment(experiment.id).tags
    assert sorted(calls) == sorted([*tags, *tags])
    assert "mlflow.note.content" in tags


def test_a_lost_database_is_filled_again(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transpose.tracking.live._PATIENCE_SECONDS", PATIENT)
    train(results)
    for path in results.glob("mlflow.db*"):
        path.unlink()
    assert_level(results)


@pytest.mark.usefixtures("without_model")
@pytest.mark.parametrize("jump", [-7200.0, 7200.0])
def test_a_clock_that_jumped_changes_no_number(results: Path, monkeypatch: pytest.MonkeyPatch, jump: float) -> None:
    """MLflow shows the latest point of a number; a new one is it even if the clock says that it came before."""
    write_training(results)
    write_metrics(results, AP=0.5)
    track_run(ResultsLayout(results), DESTINATION, RunId(VARIANT, 0))
    write_metrics(results, AP=0.25)
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + jump)
    assert track_run(ResultsLayout(results), DESTINATION, RunId(VARIANT, 0))["added"] == 1
    (run,) = runs_of(results)
    assert run.data.metrics["AP_dots_val_gt"] == 0.25
    assert track_run(ResultsLayout(results), DESTINATION, RunId(VARIANT, 0))["added"] == 0


def test_a_database_that_could_not_be_made_is_made_once_there_is_room(small_disk: SmallDisk) -> None:
    results = small_disk.folder / "results"
    results.mkdir()
    for free in (0, 100_000, 300_000):
        small_disk.leave(free)
        with pytest.raises(InputError, match=r"tracking failed: .*the disk is full"):
            initialise_database(database_uri(results))
        assert [path.name for path in results.iterdir()] == [".mlflow.db.lock"]
    small_disk.clear()
    initialise_database(database_uri(results))
    assert not [path for path in results.iterdir() if not path.name.lstrip(".").startswith("mlflow.db")]
