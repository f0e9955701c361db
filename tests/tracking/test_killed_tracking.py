"""What a killed tracking leaves does not stand in the way of the next one."""

import sqlite3
from pathlib import Path

import pytest
from mlflow import MlflowClient
from tracked_results import DESTINATION, RECIPE, STUDY, VARIANT, runs_of, write_everything, write_training

from tools.fault_injection.logged_runs import logged_runs
from transpose.errors import InputError
from transpose.study.destination import database_uri
from transpose.study.layout import ResultsLayout, RunId
from transpose.tracking import initialise_database, track_run


def test_a_database_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(MlflowClient, "search_experiments", fail)
        with pytest.raises(InputError, match="in the midst of migrations"):
            initialise_database(database_uri(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == [".mlflow.db.lock"]
    initialise_database(database_uri(tmp_path))
    assert MlflowClient(database_uri(tmp_path)).search_experiments()
    assert not list(tmp_path.glob(".mlflow-*"))


def fail(*_: object, **__: object) -> None:
    raise sqlite3.OperationalError("in the midst of migrations")


def save_nothing(*arguments: object) -> None:
    (folder,) = (argument for argument in arguments if isinstance(argument, Path) and argument.name == "model")
    folder.mkdir()
    (folder / "MLmodel").write_text("{}")


def test_folders_of_killed_processes_are_removed(tmp_path: Path) -> None:
    for name in (".mlflow-0123abcd", ".mlflow-_x_y_z_0"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mlflow.db").write_bytes(b"half")
    (tmp_path / ".mlflow-of-a-user").mkdir()
    initialise_database(database_uri(tmp_path))
    assert [path.name for path in tmp_path.glob(".mlflow-*")] == [".mlflow-of-a-user"]
    # Killed after it had created the database.
    (tmp_path / ".mlflow-0123abcd").mkdir()
    initialise_database(database_uri(tmp_path))
    assert [path.name for path in tmp_path.glob(".mlflow-*")] == [".mlflow-of-a-user"]


def test_a_model_that_was_begun_is_replaced(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transpose.tracking.model._save", save_nothing)
    write_everything(results)
    with monkeypatch.context() as killed:
        killed.setattr(MlflowClient, "log_model_artifacts", fail)
        with pytest.raises(InputError):
            track_run(ResultsLayout(results), DESTINATION, RunId(VARIANT, 0))
    track_run(ResultsLayout(results), DESTINATION, RunId(VARIANT, 0))
    (run,) = runs_of(results)
    models = MlflowClient(database_uri(results)).search_logged_models([run.info.experiment_id])
    assert [model.status for model in models] == ["READY"]
    (held,) = (one for one in logged_runs(results, STUDY) if one.name != STUDY)
    assert (held.name, held.status, held.superseded, held.models) == (f"{VARIANT} seed 0", "FINISHED", False, 1)
    assert [step for step, _ in held.metrics["training/loss"]] == list(range(RECIPE.training.epochs))
    assert held.repeated_steps() == []
    assert "training/run.json" in held.artifacts


class Killed(BaseException):
    """As a kill, it leaves everything."""


def test_files_of_a_model_that_was_begun_are_removed(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transpose.tracking.model._save", save_nothing)
    write_training(results)
    files, upload = results / "mlartifacts" / "models", MlflowClient.log_model_artifacts
    for end, left in ((Killed(), 1), (OSError("broken"), 0), (Killed(), 1), (Killed(), 1)):

        def upload_and_end(client: MlflowClient, *arguments: str, end: BaseException = end) -> None:
            upload(client, *arguments)
            raise end

        with monkeypatch.context() as broken:
            broken.setattr(MlflowClient, "log_model_artifacts", upload_and_end)
            with pytest.raises((Killed, InputError)):
                track_run(ResultsLayout(results), DESTINATION, RunId(VARIANT, 0))
        assert len(list(files.rglob("MLmodel"))) == len(list(files.iterdir())) == left
    track_run(ResultsLayout(results), DESTINATION, RunId(VARIANT, 0))
    assert len(list(files.rglob("MLmodel"))) == len(list(files.iterdir())) == 1
