"""A study is logged to the environment's server, else to its own, else to a database in its results."""

from pathlib import Path

import pytest

from transpose.config.tracking import TrackingSettings
from transpose.study.destination import TrackingDestination

SERVER = "http://mlflow.lab:5000"


def test_without_a_server_it_is_the_database_of_the_results(tmp_path: Path) -> None:
    destination = TrackingDestination.chosen("demo", TrackingSettings())
    assert (destination.experiment, destination.uri(tmp_path)) == ("demo", f"sqlite:///{tmp_path}/mlflow.db")


def test_the_environment_replaces_the_server_of_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = TrackingSettings(uri=SERVER, experiment="poses")
    assert TrackingDestination.chosen("demo", settings) == TrackingDestination("demo", "poses", SERVER)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:8080")
    assert TrackingDestination.chosen("demo", settings).uri(tmp_path) == "http://localhost:8080"


def test_the_digest_for_rules_changes_with_the_destination_and_not_with_the_password() -> None:
    digests = [
        TrackingDestination("demo", experiment, store).digest()
        for experiment, store in (
            ("demo", None),
            ("poses", None),
            ("demo", SERVER),
            ("demo", "http://me:one@mlflow.lab"),
            ("demo", "http://me:two@mlflow.lab"),
        )
    ]
    assert len(set(digests)) == len(digests) - 1
