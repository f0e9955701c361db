"""Base class of the configuration models, and parsing of configuration files."""

import difflib
from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from transpose.errors import InputError

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_]*$", max_length=64)]
"""A name that becomes part of a path: lower-case letters, digits and underscores only."""

PathText = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f{}]+$")]
"""A path for rules: without braces, which are wildcards in Snakemake, and without control characters."""

Model = TypeVar("Model", bound=BaseModel)

Size = Annotated[tuple[int, int], Field(description="(height, width) in pixels.")]


class Settings(BaseModel):
    """An immutable configuration block that refuses unknown keys and numbers that are not finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def read_yaml(path: Path) -> Any:
    """Parse a YAML file.

    Raises:
        InputError: the file is missing or is not YAML, or a block has a duplicate key.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _EachKeyOnce)
    except FileNotFoundError:
        raise InputError("no such file", file=path) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1} column {mark.column + 1}" if mark else None
        raise InputError(f"not YAML: {getattr(error, 'problem', error)}", file=path, record=place) from None
    except (OSError, ValueError, RecursionError) as error:  # not UTF-8, an invalid date, or thousands of brackets
        raise InputError(f"cannot be read: {error}", file=path) from None


class _EachKeyOnce(yaml.SafeLoader):
    """YAML loader for plain values that refuses duplicate keys; PyYAML would silently use the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in keys:
                raise yaml.constructor.ConstructorError(None, None, f"duplicate key {key!r}", key_node.start_mark)
            keys |= {key} if isinstance(key, Hashable) else set()
        return super().construct_mapping(node, deep)


def parse(model: type[Model], values: object, source: object) -> Model:
    """Validate plain values as `model`.

    Raises:
        InputError: names `source`, the first offending key, and for an unknown key the nearest known one.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        details = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in details["loc"])
        raise InputError(_explain(model, details), file=source, field=field or None) from None
    except UnicodeEncodeError:  # JSON and YAML can contain lone surrogates
        raise InputError("contains an invalid Unicode character", file=source) from None


def unknown_name(name: str, folder: Path, kind: str) -> str:
    """Return the message for a name without a file `folder`/`name`.yaml, with the known names and the nearest one.

    Args:
        kind: kind of the files in the folder, for example "variant".
    """
    known = sorted(file.stem for file in folder.glob("*.yaml"))
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown {kind} {name!r}; known are {', '.join(known) or 'none'}{hint}"


def _explain(model: type[BaseModel], details: ErrorDetails) -> str:
    if details["type"] == "extra_forbidden":
        key, anywhere = str(details["loc"][-1]), sorted(set(_known_keys(model)))
        # For a key of the outermost block, first suggest keys of that block.
        own = sorted(model.model_fields) if len(details["loc"]) == 1 else []
        near = difflib.get_close_matches(key, own, n=1) or difflib.get_close_matches(key, anywhere, n=1)
        if near:
            return f"unknown key; did you mean {near[0]!r}?"
        block = _block_of(model, details["loc"][:-1])
        return "unknown key" + (f"; known are {', '.join(sorted(block.model_fields))}" if block else "")
    value = details["input"]
    shown = f", not {value!r}" if isinstance(value, str | int | float | bool) else ""
    return details["msg"].removeprefix("Value error, ") + shown


def _block_of(model: type[BaseModel], path: tuple[int | str, ...]) -> type[BaseModel] | None:
    """Return the block of settings at a path of keys; None if no block or several are possible there."""
    block = model
    for key in path:
        blocks = list(_blocks(block.model_fields[key].annotation)) if key in block.model_fields else []
        if len(blocks) != 1:
            return None
        block = blocks[0]
    return block


def _known_keys(model: type[BaseModel]) -> Iterator[str]:
    for key, field in model.model_fields.items():
        yield key
        for block in _blocks(field.annotation):
            yield from _known_keys(block)


def _blocks(annotation: object) -> Iterator[type[BaseModel]]:
    """Yield the blocks of settings that a field's annotation names."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, UnionType, Annotated, tuple, list, dict, Mapping):
        for argument in get_args(annotation):
            yield from _blocks(argument)
