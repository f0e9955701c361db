"""A training runs again only for a changed value or input file: neither for code nor for keys that were added."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from transpose.config.base import read_yaml
from transpose.files import read_json, write_json
from transpose.study.content import InputContent
from transpose.study.layout import RunId
from transpose.study.plan import Plan
from transpose.study.training_keys import TrainingKeys

CONFIG = Path(__file__).parents[2] / "config"
RUN = RunId("r_sine", 0)


@dataclass
class Trained:
    """A study whose training `RUN` has a run record."""

    values: dict[str, Any]
    folder: Path

    def keys(self, **changes: Any) -> TrainingKeys:
        """Keys as another process computes them, with changes of the study."""
        plan = Plan.of_config(self.values | changes, self.folder / "config")
        return TrainingKeys(plan, InputContent(self.folder / "content.json"))

    @property
    def record(self) -> Path:
        return self.keys().plan.layout.train(RUN).record

    def edit(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the run record as another version would have written it."""
        content = read_json(self.record)
        change(content)
        write_json(self.record, content)


@pytest.fixture
def trained(tmp_path: Path) -> Trained:
    for folder in ("variants", "datasets"):
        shutil.copytree(CONFIG / folder, tmp_path / "config" / folder)
    places = {"results": str(tmp_path / "results"), "resources": str(tmp_path / "resources")}
    study = Trained(read_yaml(CONFIG / "config.yaml") | places, tmp_path)
    for split in ("train", "val"):
        write_json(tmp_path / "resources" / "synthetic" / split / "annotations.json", {"images": []})
    keys = study.keys()
    identity = keys.planned(RUN)
    record = {
        "recipe": identity.recipe.reproducibility_values(),
        "seed": 0,
        "skeleton": identity.skeleton.model_dump(mode="json"),
        "evaluation": identity.evaluation,
        "protocol": identity.protocol.model_dump(mode="json"),
        "initialisation": "from scratch",
        "parameters": 1,
        "trainable_parameters": 1,
        "training": {
            "data": {
                "train": {
                    "annotations": "train.json",
                    "sha256": identity.files["train"],
                    "images_sha256": identity.files["train_images"],
                },
                "validation": {
                    "annotations": "val.json",
                    "sha256": identity.files["validation"],
                    "images_sha256": identity.files["validation_images"],
                },
            },
            "persons": 1,
            "backbone_sha256": identity.files.get("backbone"),
            "initial_weights_sha256": None,
            "not_from_initial_weights": None,
            "batch": {"processes": 1, "per_process": 1, "all_processes": 1},
            "learning_rate": {"factor": 1.0, "highest": 1e-3},
            "metric": "AP",
            "best_value": 0.1,
            "best_epoch": 0,
        },
        "session": {"seconds": 1.0, "resumed_at_epoch": 0, "checkpoint": None},
        "released": None,
        "identity_sha256": identity.digest,
        "code": {"git": None, "dirty": None, "fingerprint": "f1"},
        "environment": {},
    }
    write_json(study.record, record)
    return study


def test_the_key_stays_when_nothing_has_changed(trained: Trained) -> None:
    assert trained.keys().key(RUN) == read_json(trained.record)["identity_sha256"]
    assert trained.keys().changes(RUN) == []


def test_a_key_that_is_new_with_its_default_trains_nothing(trained: Trained) -> None:
    trained.edit(lambda record: record["recipe"]["training"].pop("joint_weights"))
    trained.edit(lambda record: record["protocol"].pop("score"))
    trained.edit(lambda record: record.update(identity_sha256="1" * 64))
    assert trained.keys().key(RUN) == "1" * 64


def test_a_title_trains_nothing(trained: Trained) -> None:
    before = trained.keys().key(RUN)
    variant = trained.folder / "config" / "variants" / "r_sine.yaml"
    text = variant.read_text()
    variant.write_text(text.replace("title: ", "title: Another "))
    assert variant.read_text() != text
    assert trained.keys().key(RUN) == before


def test_workers_and_another_box_source_train_nothing(trained: Trained) -> None:
    before = trained.keys().key(RUN)
    evaluations = [{**evaluation, "boxes": ["ground_truth"]} for evaluation in trained.values["evaluations"]]
    training = trained.values["training"] | {"workers": 7}
    analyses = dict.fromkeys(("protocol_ablation", "resolutions", "dtypes", "attention_analysis"))
    assert trained.keys(training=training, evaluations=evaluations, **analyses).key(RUN) == before


def test_threads_train_again_only_if_others_are_chosen_than_were_used(trained: Trained) -> None:
    before, training = trained.keys().key(RUN), trained.values["training"]
    free = {key: value for key, value in training.items() if key != "threads"}
    assert trained.keys(training=free).key(RUN) == before
    trained.edit(lambda record: record["recipe"]["training"].update(threads=None))
    trained.edit(lambda record: record["training"].update(threads=[8]))
    assert trained.keys(training=free).key(RUN) == trained.keys(training=free | {"threads": 8}).key(RUN) == before
    assert trained.keys(training=free | {"threads": 2}).key(RUN) != before
    assert trained.keys(training=free | {"threads": 2}).changes(RUN) == ["recipe.training.threads was 8, is 2"]


def test_a_changed_value_is_named(trained: Trained) -> None:
    keys = trained.keys(training=trained.values["training"] | {"sigma": 1.25})
    assert keys.key(RUN) != trained.keys().key(RUN)
    assert keys.changes(RUN) == [f"recipe.training.sigma was {trained.values['training']['sigma']}, is 1.25"]


@pytest.mark.parametrize("file", ["train/annotations.json", "val/annotations.json"])
def test_changed_annotations_are_named(trained: Trained, file: str) -> None:
    before = trained.keys().key(RUN)
    write_json(trained.folder / "resources" / "synthetic" / file, {"images": [], "info": {}})
    assert trained.keys().key(RUN) != before
    assert [change.split()[0] for change in trained.keys().changes(RUN) or ()] == [
        "files.train" if file.startswith("train") else "files.validation"
    ]


def test_annotations_that_were_deleted_count_as_recorded(trained: Trained) -> None:
    before = trained.keys().key(RUN)
    shutil.rmtree(trained.folder / "resources")
    assert trained.keys().key(RUN) == before


def test_without_a_record_there_are_no_changes(trained: Trained) -> None:
    trained.record.unlink()
    assert trained.keys().changes(RUN) is None
