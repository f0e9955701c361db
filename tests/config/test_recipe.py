"""The recipe of a variant in a study: which of the places that set a key is followed."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.config.smallest_study import STUDY
from transpose.config.base import parse
from transpose.config.load import load_recipe
from transpose.config.study import Study
from transpose.config.training import Training
from transpose.errors import InputError

MODEL = {
    "title": "a",
    "backbone": {"family": "resnet", "block": "basic", "blocks": [1, 1], "width": 8},
    "upsampling": "bilinear",
}


def training_of(folder: Path, name: str, file: dict[str, Any] | None = None, **study: object) -> Training:
    """The training of the variant `name`, whose file contains its model and `file`."""
    (folder / f"{name}.yaml").write_text(yaml.safe_dump({**MODEL, **(file or {})}))
    return load_recipe(parse(Study, {**STUDY, **study}, "file"), name, folder, "file").training


def test_overrides_change_one_variants_training_only(tmp_path: Path) -> None:
    assert training_of(tmp_path, "a", overrides={"b": {"epochs": 7}}).epochs == 230
    assert training_of(tmp_path, "b", overrides={"b": {"epochs": 7}}).epochs == 7


def test_a_wrong_override_names_its_variant(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"overrides: b: epoch: unknown key; .*; did you mean 'epochs'"):
        training_of(tmp_path, "b", overrides={"b": {"epoch": 7}})


@pytest.mark.parametrize(
    ("file", "training", "override", "start"),
    [
        ({}, {}, {}, (None, None)),
        ({"backbone_weights": "f"}, {}, {}, ("f", None)),
        ({"backbone_weights": "f"}, {"epochs": 3}, {"epochs": 2}, ("f", None)),
        ({"backbone_weights": "f"}, {"backbone_weights": None}, {}, (None, None)),
        ({"backbone_weights": "f"}, {"backbone_weights": "t"}, {}, ("t", None)),
        ({"backbone_weights": "f"}, {"backbone_weights": "t"}, {"backbone_weights": "o"}, ("o", None)),
        ({"backbone_weights": "f"}, {"backbone_weights": None}, {"backbone_weights": "o"}, ("o", None)),
        ({"backbone_weights": "f"}, {"backbone_weights": "t"}, {"backbone_weights": None}, (None, None)),
        ({"backbone_weights": "f"}, {"initial_weights": "t"}, {}, (None, "t")),
        ({"backbone_weights": "f"}, {}, {"initial_weights": "o"}, (None, "o")),
        ({"initial_weights": "f"}, {}, {}, (None, "f")),
        ({"initial_weights": "f"}, {"backbone_weights": "t"}, {}, ("t", None)),
        ({"initial_weights": "f"}, {"backbone_weights": "t"}, {"backbone_weights": None}, (None, None)),
        ({"initial_weights": "f"}, {"initial_weights": None}, {}, (None, None)),
        ({"initial_weights": "f"}, {"backbone_weights": None}, {}, (None, "f")),
        ({}, {"backbone_weights": "t"}, {"initial_weights": "o"}, (None, "o")),
    ],
)
def test_the_most_specific_place_says_what_a_training_starts_from(
    tmp_path: Path,
    file: dict[str, Any],
    training: dict[str, Any],
    override: dict[str, Any],
    start: tuple[str | None, str | None],
) -> None:
    found = training_of(tmp_path, "a", file, training=training, overrides={"a": override})
    assert (found.backbone_weights, found.initial_weights) == start
    assert found.epochs == override.get("epochs", training.get("epochs", 230))


@pytest.mark.parametrize("study", [{"training": {"source": "official"}}, {"overrides": {"a": {"source": "official"}}}])
def test_a_released_checkpoint_starts_from_nothing(tmp_path: Path, study: dict[str, Any]) -> None:
    assert training_of(tmp_path, "a", {"backbone_weights": "f"}, **study) == Training(source="official")


def test_a_rate_for_initial_weights_may_stand_in_the_study_alone(tmp_path: Path) -> None:
    overrides = {"a": {"pretrained_rate_factor": 0.1}}
    assert training_of(tmp_path, "a", {"initial_weights": "f"}, overrides=overrides).pretrained_rate_factor == 0.1
    with pytest.raises(InputError, match="file: overrides: a: pretrained_rate_factor has no effect"):
        training_of(tmp_path, "a", {"backbone_weights": "f"}, overrides=overrides)


def test_two_starts_in_one_override_are_refused(tmp_path: Path) -> None:
    overrides = {"a": {"initial_weights": "x", "backbone_weights": "y"}}
    with pytest.raises(InputError, match="file: overrides: a: initial_weights are those of a whole model"):
        training_of(tmp_path, "a", overrides=overrides)
