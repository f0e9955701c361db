"""Each variant has one registered model: a version per weights, and the alias of the best seed."""

from pathlib import Path

import pytest
from mlflow import MlflowClient
from tracked_results import DESTINATION, RECIPE, STUDY, VARIANT, write_training

from tests.helpers.run_records import run_record, write_run
from transpose.study.destination import database_uri
from transpose.study.layout import ResultsLayout, RunId
from transpose.tracking import track_run

pytestmark = pytest.mark.slow


def save_nothing(*arguments: object) -> None:
    (folder,) = (argument for argument in arguments if isinstance(argument, Path) and argument.name == "model")
    folder.mkdir()
    (folder / "MLmodel").write_text("{}")


@pytest.fixture(autouse=True)
def without_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transpose.tracking.model._save", save_nothing)


def train_and_track(results: Path, seed: int, value: float, weights: int | None = None) -> None:
    write_training(results, seed=seed if weights is None else weights)
    folder = results / "train" / VARIANT / f"seed{seed}"
    if weights is not None:
        (results / "train" / VARIANT / f"seed{weights}").rename(folder)
    training = run_record().training
    assert training is not None
    changed = training.model_copy(update={"best_value": value}).model_dump(mode="json")
    write_run(folder / "run.json", RECIPE, seed=seed, training=changed)
    track_run(ResultsLayout(results), DESTINATION, RunId(VARIANT, seed))


def versions(results: Path) -> list[str]:
    found = MlflowClient(database_uri(results)).search_model_versions(f"name = '{STUDY}-{VARIANT}'")
    return sorted(str(one.version) for one in found)


def best(results: Path) -> str:
    return str(MlflowClient(database_uri(results)).get_model_version_by_alias(f"{STUDY}-{VARIANT}", "best").version)


def test_the_alias_is_of_the_best_seed_and_weights_are_registered_once(results: Path) -> None:
    for seed, value, expected in ((0, 0.5, "1"), (1, 0.4, "1"), (2, 0.6, "3"), (1, 0.4, "3")):
        train_and_track(results, seed, value)
        assert best(results) == expected
    assert versions(results) == ["1", "2", "3"]


def test_only_the_latest_weights_of_a_seed_count(results: Path) -> None:
    train_and_track(results, 0, 0.5)
    train_and_track(results, 1, 0.4)
    folder = results / "train" / VARIANT / "seed0"
    folder.rename(results / "old")
    train_and_track(results, 0, 0.3, weights=7)
    assert (versions(results), best(results)) == (["1", "2", "3"], "2")


def test_a_model_without_versions_is_completed(results: Path) -> None:
    MlflowClient(database_uri(results)).create_registered_model(f"{STUDY}-{VARIANT}")
    train_and_track(results, 0, 0.5)
    assert (versions(results), best(results)) == (["1"], "1")
