"""A results folder as a finished study leaves it, and what MLflow holds of it, both as plain values."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run

from tests.helpers.run_records import write_run
from tests.helpers.small_variants import small_model, small_variant
from transpose.config.recipe import Recipe
from transpose.config.training import Training
from transpose.files import sha256_of_file, write_json, write_text
from transpose.models.weights import save_weights
from transpose.skeleton import COCO_PERSON
from transpose.study.destination import TrackingDestination, database_uri

STUDY, VARIANT = "demo", "tiny_r"
DESTINATION = TrackingDestination(STUDY, STUDY)
RECIPE = Recipe(
    name=VARIANT, variant=small_variant("resnet"), training=Training.model_validate({"epochs": 3, "batch_size": 7})
)
HISTORY = [
    {"epoch": 0, "learning_rate": 1e-4, "loss": 0.1 + 0.2, "validation": None},
    {"epoch": 1, "learning_rate": 1 / 30000, "loss": 0.123456789012345678, "validation": {"AP": -1.0, "AP50": 0.5}},
    {"epoch": 2, "learning_rate": 1e-5, "loss": 1e-300, "validation": {"AP": 1 / 3, "AP50": 2 / 3}},
]
COST = {"operations": {"macs": 10**12 + 1}, "timings": [{"batch_size": 1, "images_per_second": 118.75}]}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class NoLogProcess:
    """In place of the log process: keeps the messages."""

    def __init__(self) -> None:
        self.messages: list[dict] = []

    def send(self, message: dict) -> None:
        self.messages.append(message)

    def ends_within(self, _: float) -> bool:
        return True


def history_lines(records: list[dict[str, Any]]) -> str:
    """The text of a history file."""
    return "".join(json.dumps(record) + "\n" for record in records)


def write_recipe(results: Path, recipe: Recipe = RECIPE) -> None:
    """The resolved recipe's record."""
    write_json(results / "records" / "recipes" / f"{recipe.name}.json", recipe.reproducibility_values())


def write_training(
    results: Path, seed: int = 0, recipe: Recipe = RECIPE, history: list[dict[str, Any]] = HISTORY
) -> None:
    """A finished training."""
    folder = results / "train" / recipe.name / f"seed{seed}"
    write_recipe(results, recipe)
    network = small_model("resnet", seed=seed, keypoints=len(COCO_PERSON))
    save_weights(network, folder / "weights.safetensors", {})
    write_text(folder / "history.jsonl", history_lines(history))
    write_run(
        folder / "run.json",
        recipe,
        seed=seed,
        code={"git": COMMIT, "dirty": True, "fingerprint": "f1f2"},
        environment={"device": "cpu", "cpu": "Abacus 2", "python": "3.11.7"},
    )


def write_metrics(results: Path, boxes: str = "gt", seed: int = 0, variant: str = VARIANT, **metrics: float) -> Path:
    """One evaluation of the training's present weights."""
    weights = results / "train" / variant / f"seed{seed}" / "weights.safetensors"
    path = results / "metrics" / variant / f"seed{seed}" / "dots" / "val" / f"{boxes}.json"
    write_json(
        path,
        {
            "variant": variant,
            "seed": seed,
            "dataset": "dots",
            "split": "val",
            "boxes": boxes,
            "boxes_kind": "ground_truth" if boxes == "gt" else "simulated",
            "persons": 31,
            "images": 12,
            "crowding": {"hard": {"images": 3, "ap": 0.25}},
            "metrics": {"AP": 0.1 + 0.7, "AP50": 0.9, "APL": -1.0} | metrics,
            "predictions": 40,
            "keypoints": [
                {"keypoint": "nose", "ap": 0.7, "labelled": 9},
                {"keypoint": "left_eye", "ap": None, "labelled": 0},
            ],
            "interval": [0.25, 1 / 7],
            "reference_check": {"evaluators": ["pycocotools", "xtcocotools"], "max_abs_difference": 0.0},
            "weights_sha256": sha256_of_file(weights),
            "annotations_sha256": "b" * 64,
            "boxes_sha256": "e" * 64,
            "runtime": {"name": "openvino", "version": "2026.4", "dtype": "fp32", "seconds_per_batch": {}},
        },
    )
    return path


def write_everything(results: Path) -> None:
    """A finished training with two evaluations, cost and attention figures."""
    write_training(results)
    write_metrics(results)
    write_metrics(results, "detector", AP=0.5)
    write_json(results / "cost" / f"{VARIANT}.json", COST)
    attention = results / "attention" / VARIANT / "seed0" / "dots" / "val"
    write_text(attention / "persons.json", "[]\n")
    write_text(attention / "figures" / "0_dependency.png", "not really an image")


def runs_of(results: Path, kind: str = "training") -> list[Run]:
    """Every run of the experiment of a kind, `training` or `study`, oldest first."""
    client = MlflowClient(database_uri(results))
    experiment = client.get_experiment_by_name(STUDY)
    assert experiment is not None
    chosen = f"tags.`transpose.kind` = '{kind}'"
    return list(client.search_runs([experiment.experiment_id], chosen, order_by=["attributes.start_time ASC"]))


def points(results: Path, run: Run, name: str) -> list[tuple[int, float]]:
    """(step, value) of every point of a metric."""
    history = MlflowClient(database_uri(results)).get_metric_history(run.info.run_id, name)
    return sorted((point.step, point.value) for point in history)


def history_points(name: str, records: list[dict[str, Any]] = HISTORY) -> list[tuple[int, float]]:
    """(epoch, value) of every line of a history."""
    return [(record["epoch"], record[name]) for record in records]


def dump(results: Path) -> list[str]:
    """Every row of the database, but for the time at which an experiment was last touched."""
    with closing(sqlite3.connect(results / "mlflow.db")) as database:
        database.execute("PRAGMA query_only = 1")
        return [line for line in database.iterdump() if 'INTO "experiments"' not in line]
