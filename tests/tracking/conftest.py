"""Databases and exported models cost seconds: all tests copy one database, and few make a model."""

import os
import shutil
from pathlib import Path

import pytest

from transpose.study.destination import database_uri
from transpose.tracking import initialise_database


@pytest.fixture(autouse=True)
def _settings_of_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave MLflow's variables, which tracking sets in this process, out of the processes of trainings."""
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def empty_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with a database and nothing else; copy it."""
    folder = tmp_path_factory.mktemp("empty")
    initialise_database(database_uri(folder))
    return folder


@pytest.fixture
def results(tmp_path: Path, empty_results: Path) -> Path:
    """A results folder with an empty database, its name as awkward as a user's may be."""
    return Path(shutil.copytree(empty_results, tmp_path / "my results, 100%"))


@pytest.fixture
def without_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the model out."""
    monkeypatch.setattr("transpose.tracking.sync_run.log_model", lambda *_: None)
