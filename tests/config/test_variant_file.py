"""Variants that extend others: what is inherited, what is replaced, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from transpose.config.load import load_any_variant, load_variant
from transpose.config.variant import Encoder, HRNetBackbone, ResNetBackbone, Variant
from transpose.config.variant_file import read_variant_file
from transpose.errors import InputError

VARIANTS = Path(__file__).parents[2] / "config" / "variants"
BASE: dict[str, Any] = {
    "title": "base",
    "published": "row",
    "released": "checkpoint",
    "input_size": [64, 48],
    "backbone": {"family": "resnet", "block": "basic", "blocks": [1, 2], "width": 16},
    "dim": 32,
    "encoder": {"layers": 2, "heads": 4, "feedforward": 64, "position_embedding": "learnable"},
    "upsampling": "bilinear",
    "backbone_weights": "backbone.safetensors",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "base", BASE)
    return tmp_path


def write(folder: Path, name: str, values: object) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def extend(folder: Path, name: str = "mine", base: object = "base", **changes: object) -> Path:
    return write(folder, name, {"extends": base, "title": name, **changes})


@pytest.mark.parametrize(
    ("name", "input_size", "backbone", "dim", "encoder", "upsampling", "published", "released"),
    [
        (
            "tp_r_a3_star",
            (256, 192),
            ResNetBackbone(family="resnet", block="bottleneck", blocks=(3, 7), width=64),
            256,
            Encoder(layers=3, heads=8, feedforward=1024, position_embedding="sine"),
            "bilinear",
            "tp_r_a3_star",
            None,
        ),
        (
            "tp_h_a6_mpii_finetuned",
            (256, 256),
            HRNetBackbone(family="hrnet", width=48, stem_width=64, bottlenecks=4, modules=(1, 4), blocks=4),
            96,
            Encoder(layers=6, heads=1, feedforward=192, position_embedding="sine"),
            "none",
            "tp_h_a6_mpii_finetuned",
            None,
        ),
        (
            "tp_h_a4",
            (256, 192),
            HRNetBackbone(family="hrnet", width=48, stem_width=64, bottlenecks=4, modules=(1, 4), blocks=4),
            96,
            Encoder(layers=4, heads=1, feedforward=192, position_embedding="sine"),
            "none",
            "tp_h_a4",
            "tp_h_a4",
        ),
        (
            "r_no_encoder",
            (128, 96),
            ResNetBackbone(family="resnet", block="basic", blocks=(2, 2), width=32),
            64,
            None,
            "deconvolution",
            None,
            None,
        ),
    ],
)
def test_variants_that_extend_others_are_the_models_that_they_name(
    name: str,
    input_size: tuple[int, int],
    backbone: ResNetBackbone | HRNetBackbone,
    dim: int,
    encoder: Encoder | None,
    upsampling: str,
    published: str | None,
    released: str | None,
) -> None:
    variant = load_variant(name, VARIANTS)
    assert (variant.input_size, variant.backbone, variant.dim) == (input_size, backbone, dim)
    assert (variant.encoder, variant.upsampling) == (encoder, upsampling)
    assert (variant.published, variant.released) == (published, released)


def test_mappings_are_merged_key_by_key_and_all_else_replaces(folder: Path) -> None:
    path = extend(folder, backbone={"blocks": [3, 3]}, encoder={"layers": 5})
    file = read_variant_file(path)
    assert file.backbone == ResNetBackbone(family="resnet", block="basic", blocks=(3, 3), width=16)
    assert file.encoder == Encoder(layers=5, heads=4, feedforward=64, position_embedding="learnable")
    assert (file.input_size, file.dim, file.upsampling) == ((64, 48), 32, "bilinear")


def test_null_replaces_a_block(folder: Path) -> None:
    assert read_variant_file(extend(folder, encoder=None, dim=None)).variant.encoder is None


def test_a_backbone_of_another_family_takes_nothing_of_the_first(folder: Path) -> None:
    path = extend(folder, backbone={"family": "hrnet", "modules": [1]}, upsampling="none")
    assert read_variant_file(path).backbone == HRNetBackbone(family="hrnet", modules=(1,))


def test_a_backbone_that_repeats_its_family_is_merged(folder: Path) -> None:
    path = extend(folder, backbone={"family": "resnet", "width": 24})
    assert read_variant_file(path).backbone == ResNetBackbone(family="resnet", block="basic", blocks=(1, 2), width=24)


def test_names_of_a_variant_are_not_inherited(folder: Path) -> None:
    variant = read_variant_file(extend(folder)).variant
    assert (variant.title, variant.published, variant.released) == ("mine", None, None)


def test_a_variant_that_extends_another_needs_a_title_of_its_own(folder: Path) -> None:
    with pytest.raises(InputError, match=r"mine\.yaml: title: Field required$"):
        read_variant_file(write(folder, "mine", {"extends": "base"}))


def test_extending_twice_is_extending_by_both_changes(folder: Path) -> None:
    extend(folder, "middle", encoder={"layers": 3}, published="middle")
    path = extend(folder, base="middle", encoder={"heads": 2})
    direct = extend(folder, "direct", encoder={"layers": 3, "heads": 2})
    left, right = read_variant_file(path), read_variant_file(direct)
    assert left.variant.model_copy(update={"title": ""}) == right.variant.model_copy(update={"title": ""})


def test_the_model_alone_is_a_plain_variant(folder: Path) -> None:
    path = extend(folder)
    plain = {key: value for key, value in BASE.items() if key in Variant.model_fields}
    expected = Variant.model_validate(plain | {"title": "mine", "published": None, "released": None})
    for variant in (read_variant_file(path).variant, load_any_variant(path), load_variant("mine", folder)):
        assert variant.model_dump_json() == expected.model_dump_json()


@pytest.mark.parametrize(
    ("changes", "start"),
    [
        ({}, {"backbone_weights": "backbone.safetensors", "initial_weights": None}),
        ({"backbone_weights": "other"}, {"backbone_weights": "other", "initial_weights": None}),
        ({"initial_weights": "whole"}, {"backbone_weights": None, "initial_weights": "whole"}),
        ({"backbone_weights": None}, {"backbone_weights": None, "initial_weights": None}),
        ({"initial_weights": None}, {"backbone_weights": "backbone.safetensors", "initial_weights": None}),
    ],
)
def test_weights_to_start_from_are_inherited_until_others_are_named(
    folder: Path, changes: dict[str, Any], start: dict[str, Any]
) -> None:
    middle = read_variant_file(extend(folder, "middle", **changes))
    assert middle.starting_weights == read_variant_file(extend(folder, base="middle")).starting_weights == start


def test_a_backbone_replaces_an_inherited_whole_model(folder: Path) -> None:
    extend(folder, "tuned", initial_weights="whole")
    file = read_variant_file(extend(folder, base="tuned", backbone_weights="backbone"))
    assert file.starting_weights == {"backbone_weights": "backbone", "initial_weights": None}


def test_a_file_that_starts_from_two_places_is_refused(folder: Path) -> None:
    path = extend(folder, initial_weights="whole", backbone_weights="backbone")
    with pytest.raises(InputError, match=r"mine\.yaml: initial_weights are those of a whole model"):
        read_variant_file(path)


@pytest.mark.parametrize("name", ["../base", "Base", "", 3, ["base"], {"name": "base"}])
def test_a_base_that_is_no_name_is_refused(folder: Path, name: object) -> None:
    with pytest.raises(InputError, match=r"mine\.yaml: extends: ") as caught:
        read_variant_file(extend(folder, base=name))
    assert "\n" not in str(caught.value)


def test_an_unknown_base_lists_the_known_ones_and_the_nearest(folder: Path) -> None:
    path = extend(folder, base="bas")
    with pytest.raises(
        InputError, match=r"mine\.yaml: extends: unknown variant 'bas'; known are base, mine; did you m"
    ):
        read_variant_file(path)


@pytest.mark.parametrize(
    ("bases", "cycle"),
    [
        ({"a": "a"}, "a.yaml: extends: makes a cycle: a -> a"),
        ({"a": "b", "b": "a"}, "b.yaml: extends: makes a cycle: a -> b -> a"),
        ({"a": "b", "b": "c", "c": "b"}, "c.yaml: extends: makes a cycle: b -> c -> b"),
    ],
)
def test_a_cycle_is_refused(tmp_path: Path, bases: dict[str, str], cycle: str) -> None:
    for name, base in bases.items():
        extend(tmp_path, name, base)
    with pytest.raises(InputError) as caught:
        read_variant_file(tmp_path / "a.yaml")
    assert str(caught.value) == f"{tmp_path}/{cycle}"


def test_an_error_names_the_file_that_holds_it(folder: Path) -> None:
    extend(folder, "middle", dimm=3)
    with pytest.raises(InputError, match=r"middle\.yaml: dimm: unknown key; .*; did you mean 'dim'\?$"):
        read_variant_file(extend(folder, base="middle"))
    extend(folder, "middle", encoder={"layer": 3})
    with pytest.raises(InputError, match=r"middle\.yaml: encoder\.layer: unknown key; .*; did you mean 'layers'\?$"):
        read_variant_file(extend(folder, base="middle"))
    with pytest.raises(InputError, match=r"mine\.yaml: family: unknown key"):
        read_variant_file(extend(folder, family="hrnet"))


@pytest.mark.parametrize("content", ["", "3", "[extends, base]"])
def test_a_file_that_is_no_mapping_is_refused(folder: Path, content: str) -> None:
    path = folder / "mine.yaml"
    path.write_text(content)
    with pytest.raises(InputError, match=r"mine\.yaml: "):
        read_variant_file(path)
