"""Variant files: architecture, starting weights, and the extended variant."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from transpose.config.base import Name, PathText, Settings, parse, read_yaml, unknown_name
from transpose.config.training import STARTING_WEIGHTS, check_one_start, without_replaced_weights
from transpose.config.variant import OwnKey, Variant
from transpose.errors import InputError


class Extension(Settings):
    """The key of a variant file that must be read first."""

    extends: Annotated[Name | None, OwnKey()] = Field(
        default=None, description="Variant of the same folder from which missing values are inherited."
    )


class VariantFile(Extension, Variant):
    """All values of a variant file, including inherited ones."""

    backbone_weights: PathText | None = Field(
        default=None, description="Path of pretrained backbone weights for training."
    )
    initial_weights: PathText | None = Field(default=None, description="Path of a whole model's weights to fine-tune.")

    @property
    def variant(self) -> Variant:
        """The variant, without starting weights."""
        return Variant(**self.model_dump(include=set(Variant.model_fields)))

    @property
    def starting_weights(self) -> dict[str, Any]:
        """The starting weights, as training keys."""
        return self.model_dump(include=set(STARTING_WEIGHTS))

    @model_validator(mode="after")
    def _starts_from_one_place(self) -> "VariantFile":
        check_one_start(self.backbone_weights, self.initial_weights)
        return self


def read_variant_file(path: Path) -> VariantFile:
    """Read a variant's YAML file and merge it with the one that it extends, if any.

    Mappings are merged key by key; every other value replaces the inherited one, `null` too. A backbone of another
    family replaces the whole block, and starting weights of one kind remove those of the other. Keys marked `OwnKey`
    are not inherited.

    Raises:
        InputError: a file is missing or wrong, or `extends` is not a name, names no variant or makes a cycle.
    """
    return parse(VariantFile, _values(path, ()), path)


def _values(path: Path, extended_by: tuple[Path, ...]) -> Any:
    values = read_yaml(path)
    base = _extended_file(values, path)
    if base is None:
        return values
    chain = (*extended_by, path)
    if base in chain:
        names = " -> ".join(file.stem for file in (*chain[chain.index(base) :], base))
        raise InputError(f"makes a cycle: {names}", file=path, field="extends")
    inherited = _values(base, chain)
    # Validate here, so that an error names the file that contains it.
    parse(VariantFile, inherited, base)
    shared = {key: value for key, value in inherited.items() if key not in _own_keys()}
    return _merged(without_replaced_weights(shared, values), values)


def _extended_file(values: object, path: Path) -> Path | None:
    given = values.get("extends") if isinstance(values, dict) else None
    name = parse(Extension, {"extends": given}, path).extends
    if name is None:
        return None
    base = path.with_name(f"{name}.yaml")
    if not base.is_file():
        raise InputError(unknown_name(name, path.parent, "variant"), file=path, field="extends")
    return base


def _own_keys() -> set[str]:
    fields = VariantFile.model_fields.items()
    return {key for key, field in fields if any(isinstance(mark, OwnKey) for mark in field.metadata)}


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        known = base.get(key)
        if isinstance(known, dict) and isinstance(value, dict) and _of_one_family(known, value):
            merged[key] = _merged(known, value)
        else:
            merged[key] = value
    return merged


def _of_one_family(base: Mapping[str, Any], changes: Mapping[str, Any]) -> bool:
    """Whether both blocks are of the same backbone family, or have none, and can be merged."""
    return changes.get("family", base.get("family")) == base.get("family")
