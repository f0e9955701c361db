"""A real MLflow server on PostgreSQL has the numbers of the files, whatever happened to it meanwhile."""

import json
import multiprocessing
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tracked_results import HISTORY, RECIPE, STUDY, VARIANT, NoLogProcess, write_metrics, write_training

from tools.tracking_server.equality import compare_with_files
from tools.tracking_server.server import PostgreSQL, TrackingServer, missing_requirement, running_server
from transpose.files import write_text
from transpose.study.destination import TrackingDestination
from transpose.study.layout import ResultsLayout, RunId
from transpose.tracking import LiveLogger, track_run, track_study
from transpose.tracking.log_process import follow

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(missing_requirement() is not None, reason=missing_requirement() or ""),
]

EXPERIMENT, PASSWORD = "poses of the lab", "correct-horse"


def save_nothing(*arguments: object) -> None:
    (folder,) = (argument for argument in arguments if isinstance(argument, Path) and argument.name == "model")
    folder.mkdir()
    (folder / "MLmodel").write_text("{}")


def live_messages(
    results: Path, destination: TrackingDestination, server: TrackingServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The messages of a training, during which the server is away."""
    process = NoLogProcess()
    with monkeypatch.context() as replaced:
        replaced.setattr("transpose.tracking.live._LogProcess", lambda: process)
        with LiveLogger(results, destination, RECIPE, 0) as live:
            for record in HISTORY:
                live.epoch(record)
    before, after = process.messages[:2], process.messages[3:]
    yield from (json.dumps(message) + "\n" for message in before)
    server.stop()
    yield json.dumps(process.messages[2]) + "\n"
    server.start()
    yield from (json.dumps(message) + "\n" for message in after)


def test_after_all_faults_it_has_the_numbers_of_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("transpose.tracking.model._save", save_nothing)
    here, there = tmp_path / "here", tmp_path / "there"
    with running_server(tmp_path / "server") as (server, database):
        destination = TrackingDestination(STUDY, EXPERIMENT, server.uri.replace("//", f"//me:{PASSWORD}@"))
        with monkeypatch.context() as impatient:
            impatient.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
            follow(live_messages(here, destination, server, impatient))
        assert sum("training continues" in record.getMessage() for record in caplog.records) == 1
        for results, seeds in ((here, (0, 1)), (there, (2, 3))):
            for seed in seeds:
                write_training(results, seed)
                write_metrics(results, seed=seed, AP=seed / 10)
        # Longer than a server needs to start on a busy machine.
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "8")
        track_in_parallel([(here, 0), (here, 1), (there, 2), (there, 3)], destination, server, database)
        # The results of two machines are merged, and the folder is moved.
        shutil.copytree(there, here, dirs_exist_ok=True)
        layout = ResultsLayout(here.rename(tmp_path / "moved"))
        write_text(layout.root / "comparison.csv", "variant,AP\ntiny_r,0.5\n")
        track_study(layout, destination)
        again = [track_run(layout, destination, RunId(VARIANT, seed))["added"] for seed in range(4)]
        found = compare_with_files(server.uri, EXPERIMENT, layout.root)
    assert found.differences == []
    assert (again, found.numbers > 100, found.files > 12) == ([0] * 4, True, True)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in written if PASSWORD.encode() in path.read_bytes()] == []


def track_in_parallel(
    runs: list[tuple[Path, int]], destination: TrackingDestination, server: TrackingServer, database: PostgreSQL
) -> None:
    """Track runs at once; the server is killed and the database crashes meanwhile."""
    forked = multiprocessing.get_context("fork")
    jobs = [
        forked.Process(target=track_run, args=(ResultsLayout(results), destination, RunId(VARIANT, seed)))
        for results, seed in runs
    ]
    for job in jobs:
        job.start()
    server.stop()
    database.stop("immediate")
    database.start()
    server.start()
    for job in jobs:
        job.join()
    assert [job.exitcode for job in jobs] == [0] * len(jobs)
