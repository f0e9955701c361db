"""Configuration files: read, refused in one clear line, and kept in step with their schema."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.config.smallest_study import STUDY
from tests.helpers.torso_data import torso_dataset
from transpose.config.base import parse, read_yaml
from transpose.config.dataset import Dataset
from transpose.config.load import load_any_variant, load_dataset, load_study, load_variant
from transpose.config.study import Study
from transpose.config.training import Training
from transpose.config.variant import Variant
from transpose.errors import InputError

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config"


@pytest.mark.parametrize("path", sorted((CONFIG / "variants").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_variant_that_ships_is_valid(path: Path) -> None:
    assert load_variant(path.stem, path.parent) == load_any_variant(path)


@pytest.mark.parametrize("path", sorted((CONFIG / "datasets").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_data_set_that_ships_is_valid(path: Path) -> None:
    assert load_dataset(path.stem, path.parent).boxes


STUDIES = [CONFIG / "config.yaml", *sorted((CONFIG / "studies").glob("*.yaml"))]


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_study_that_ships_is_valid(path: Path) -> None:
    assert load_study(path).variants


def test_the_published_schema_is_the_models() -> None:
    written = json.loads((ROOT / "workflow" / "schemas" / "study.schema.json").read_text())
    assert written == Study.model_json_schema()


def test_the_defaults_of_training_are_the_official_recipe() -> None:
    training = Training()
    assert (training.schedule.kind, training.sigma, training.dropout, training.attention_dropout) == (
        "cosine",
        2,
        0.1,
        0.1,
    )
    assert training.augmentation.scale_factor == 0.35
    assert training.augmentation.rotation_factor == 45


def test_an_unknown_key_names_the_nearest_known_one() -> None:
    with pytest.raises(InputError, match=r"^file: variantz: unknown key; known are .*; did you mean 'variants'\?$"):
        parse(Study, {**STUDY, "variantz": []}, "file")


def test_a_misspelt_key_is_not_reported_as_a_missing_one() -> None:
    values = {key: value for key, value in STUDY.items() if key != "train"}
    with pytest.raises(InputError, match=r"^file: trian: unknown key; .*; did you mean 'train'\?$"):
        parse(Study, {**values, "trian": STUDY["train"]}, "file")


def test_a_key_of_another_block_is_suggested_with_its_place() -> None:
    with pytest.raises(InputError, match=r"^file: epochs: unknown key; .*; did you mean 'training\.epochs'\?$"):
        parse(Study, {**STUDY, "epochs": 3}, "file")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"training": {"lr": 1}},
            r"training\.lr: unknown key; known are accumulate_grad_batches, .*, workers$",
        ),
        ({"forecast": {"q": 1}}, r"forecast\.q: unknown key; known are .*training_tflops.*"),
        (
            {"training": {"schedule": {"kind": "one_cycle", "q": 1}}},
            r"training\.schedule\.one_cycle\.q: unknown key; known are kind, peak, warmup$",
        ),
        (
            {"evaluations": [{**STUDY["evaluations"][0], "q": 1}]},
            r"evaluations\.0\.q: unknown key; known are boxes, dataset, split$",
        ),
    ],
)
def test_an_unknown_key_without_a_near_one_lists_those_of_its_block(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse(Study, {**STUDY, **changes}, "file")


@pytest.mark.parametrize(
    ("changes", "known"),
    [
        ({"boxes": {"simulated": {"kind": "detections", "files": {}, "q": 1}}}, "category, files, kind, listed_as"),
        ({"source": {"kind": "photographs", "q": 1}}, "kind$"),
        ({"source": {"kind": "synthetic", "images": {"a": 1}, "q": 1}}, "antialias, bust_share"),
    ],
)
def test_an_unknown_key_of_one_of_several_kinds_of_blocks_lists_those_of_its_kind(
    changes: dict[str, Any], known: str
) -> None:
    values = read_yaml(CONFIG / "datasets" / "photographs.yaml")
    with pytest.raises(InputError, match=rf"q: unknown key; known are {known}"):
        parse(Dataset, values | changes, "file")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"seeds": 0}, "seeds"),
        ({"seeds": "many"}, "seeds"),
        ({"variants": ["../escape"]}, "variants.0"),
        ({"name": "../escape"}, "name"),
        ({"train": {"dataset": "../escape", "split": "val"}}, "train.dataset"),
        ({"validation": {"dataset": "d", "split": "/escape"}}, "validation.split"),
        ({"evaluations": [{"dataset": "d", "split": "val", "boxes": [".."]}]}, "evaluations.0.boxes.0"),
        ({"variants": []}, "variants"),
        ({"results": "a{b}"}, "results"),
        ({"training": {"backbone_weights": "a{b}.safetensors"}}, "training.backbone_weights"),
        ({"resources": ""}, "resources"),
        ({"training": {"image_cache_gb": float("inf")}}, "training.image_cache_gb"),
        ({"training": {"sigma": float("nan")}}, "training.sigma"),
        ({"training": {"schedule": {"kind": "steps"}}}, "training.schedule"),
        ({"evaluations": [{"dataset": "d", "split": "val", "boxes": []}]}, "evaluations.0.boxes"),
        ({"protocol": {"blur_kernel": 4}}, "protocol.blur_kernel"),
    ],
)
def test_a_wrong_value_names_its_key(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(Study, {**STUDY, **changes}, "file")
    assert str(caught.value).startswith(f"file: {field}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("flip_pairs", "missing"),
    [
        ([], "[left_shoulder, right_shoulder], [left_hip, right_hip]"),
        ([["right_hip", "left_hip"]], "[left_shoulder, right_shoulder]"),
        ([["left_hip", "right_shoulder"], ["right_hip", "left_shoulder"]], "[left_shoulder, right_shoulder], "),
    ],
)
def test_left_and_right_keypoints_that_are_not_paired_are_refused(
    tmp_path: Path, flip_pairs: list[list[str]], missing: str
) -> None:
    values = torso_dataset(tmp_path).model_dump(mode="json")
    with pytest.raises(InputError) as refused:
        parse(Dataset, values | {"skeleton": values["skeleton"] | {"flip_pairs": flip_pairs}}, "d.yaml")
    assert str(refused.value).startswith(f"d.yaml: mirrored images would mix left and right keypoints; add {missing}")
    assert str(refused.value).endswith(" to skeleton.flip_pairs")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"input_size": [250, 192]}, "not divisible"),
        ({"upsampling": "none"}, "does not convert"),
        ({"dim": 90}, "not divisible by 8 heads"),
        ({"dim": None}, "an encoder needs dim"),
    ],
)
def test_an_impossible_variant_says_why(changes: dict[str, Any], words: str) -> None:
    values = load_variant("tp_r_a4", CONFIG / "variants").model_dump()
    with pytest.raises(InputError, match=words):
        parse(Variant, {**values, **changes}, "file")


def test_an_unknown_variant_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="tp_r_a4"):
        load_variant("tp_r_a9", CONFIG / "variants")


@pytest.mark.parametrize(
    "content", [b"a: [", b"\xff\xfe\x00", b"a: b: c", b"a: 2020-99-99", b"a: 0x_", b"[" * 3000, b"[" * 100_000_000]
)
def test_a_file_that_is_no_yaml_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"broken\.yaml"):
        read_yaml(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a: [b\nc: d", "line 2 column 2: not YAML: expected ',' or ']', but got ':'"),
        ("a: b\nc:\td\n\te: f", "line 2 column 3: not YAML: found character '\\t' that cannot start any token"),
        ("a: b\nc: d\x01", r"line 2 column 5: not YAML: character '\x01'"),
    ],
)
def test_the_place_in_a_file_that_is_no_yaml_is_named(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "broken.yaml").write_text(content)
    with pytest.raises(InputError) as refused:
        read_yaml(tmp_path / "broken.yaml")
    assert str(refused.value) == f"{tmp_path / 'broken.yaml'}: {words}"


def test_a_hundred_megabytes_of_brackets_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "deep.yaml"
    path.write_bytes(b"[" * 100_000_000)
    with pytest.raises(InputError, match=r"deep\.yaml: cannot be read: maximum recursion depth exceeded"):
        read_yaml(path)


@pytest.mark.parametrize("text", ["epochs: 3\nepochs: 4\n", "training:\n  epochs: 3\n  epochs: 4\n"])
def test_a_key_that_comes_twice_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"study\.yaml: line \d column \d: not YAML: duplicate key 'epochs'"):
        read_yaml(path)
