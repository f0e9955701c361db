"""The machine's load is logged while a training runs, and its failures do not matter."""

import time
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient
from tracked_results import HISTORY, RECIPE, VARIANT

from transpose.study.destination import database_uri
from transpose.tracking.log_process import RunLogger

DESTINATION = {"study": "demo", "experiment": "demo"}


@pytest.fixture
def logger(results: Path, monkeypatch: pytest.MonkeyPatch) -> RunLogger:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.01")
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLES_BEFORE_LOGGING", "1")
    return RunLogger(str(results), DESTINATION, VARIANT, 0, RECIPE.reproducibility_values())


def load_of(results: Path) -> set[str]:
    client = MlflowClient(database_uri(results))
    (run,) = client.search_runs(["1"], "tags.`transpose.kind` = 'training'")
    return {name for name in run.data.metrics if name.startswith("system/")}


def test_it_is_logged_until_the_training_ends(results: Path, logger: RunLogger) -> None:
    logger.epoch(HISTORY[0])
    deadline = time.monotonic() + 300
    while "system/cpu_utilization_percentage" not in load_of(results) and time.monotonic() < deadline:
        time.sleep(0.05)
    logger.end("FINISHED")
    assert {"system/cpu_utilization_percentage", "system/system_memory_usage_percentage"} <= load_of(results)


def test_a_system_that_forbids_its_readings_does_not_disturb(
    results: Path, logger: RunLogger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psutil, "net_io_counters", lambda: 1 / 0)
    logger.epoch(HISTORY[0])
    logger.end("FINISHED")
    assert load_of(results) == set()


def test_it_can_be_switched_off(results: Path, logger: RunLogger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "false")
    logger.epoch(HISTORY[0])
    logger.end("FINISHED")
    assert load_of(results) == set()
