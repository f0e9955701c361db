"""A run.json as a training leaves it."""

from pathlib import Path
from typing import Any

from tests.helpers.small_variants import small_variant
from transpose.config.recipe import Recipe
from transpose.config.run_record import RunRecord
from transpose.config.study import EvalProtocol
from transpose.config.training import Training
from transpose.files import write_json
from transpose.skeleton import COCO_PERSON

SMALL = Recipe(name="small", variant=small_variant("resnet"), training=Training())


def run_record(recipe: Recipe = SMALL, **changes: Any) -> RunRecord:
    """The record of a finished training with some values replaced."""
    values = {
        "recipe": recipe,
        "seed": 0,
        "skeleton": COCO_PERSON,
        "evaluation": "oks",
        "protocol": EvalProtocol(batch_size=4),
        "initialisation": "from scratch",
        "parameters": 1234,
        "trainable_parameters": 1200,
        "training": {
            "data": {
                "train": {"annotations": "resources/dots/train/annotations.json", "sha256": "a" * 64},
                "validation": {"annotations": "resources/dots/val/annotations.json", "sha256": "b" * 64},
            },
            "persons": 31,
            "backbone_sha256": None,
            "initial_weights_sha256": None,
            "not_from_initial_weights": None,
            "batch": {"processes": 1, "per_process": 7, "all_processes": 7},
            "threads": (2, 1),
            "learning_rate": {"factor": 1.0, "highest": 1e-4},
            "metric": "AP",
            "best_value": 1 / 3,
            "best_epoch": 2,
        },
        "session": {"seconds": 12.5, "resumed_at_epoch": 0, "checkpoint": None},
        "released": None,
        "code": {"git": None, "dirty": None, "fingerprint": "f1f2"},
        "environment": {"device": "cpu"},
    }
    return RunRecord.model_validate(values | changes)


def write_run(path: Path, recipe: Recipe = SMALL, **changes: Any) -> Path:
    """Write such a record as `path`, which is returned."""
    write_json(path, run_record(recipe, **changes).model_dump(mode="json"))
    return path
