"""Databases and exported models cost seconds: all tests copy one database, and few make a model."""

import shutil
from pathlib import Path

import pytest

from transpose.tracking import initialise_database, tracking_uri


@pytest.fixture(scope="session")
def empty_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with a database and nothing else; copy it."""
    folder = tmp_path_factory.mktemp("empty")
    initialise_database(tracking_uri(folder))
    return folder


@pytest.fixture
def results(tmp_path: Path, empty_results: Path) -> Path:
    """A results folder with an empty database, its name as awkward as a user's may be."""
    return Path(shutil.copytree(empty_results, tmp_path / "my results, 100%"))


@pytest.fixture
def without_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the model out."""
    monkeypatch.setattr("transpose.tracking.sync_run.log_model", lambda *_: None)
