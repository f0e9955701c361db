"""Base class of the configuration models, and parsing of configuration files."""

import difflib
from collections.abc import Hashable, Iterable, Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from transpose.errors import InputError

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_]*$", max_length=64)]
"""A name that becomes part of a path: lower-case letters, digits and underscores only."""


def refuse_wildcards(path: object) -> object:
    """Return a path, or any other value, as it is.

    Raises:
        ValueError: the path contains braces.
    """
    if isinstance(path, str) and ("{" in path or "}" in path):
        raise ValueError("must not contain { or }, which are wildcards in Snakemake")
    return path


PathText = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f{}]+$"), BeforeValidator(refuse_wildcards)]
"""A path for rules: without braces and without control characters."""

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
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError("no such file", file=path) from None
    except (OSError, ValueError) as error:  # not UTF-8
        raise InputError(f"cannot be read: {error}", file=path) from None
    try:
        return yaml.load(text, _EachKeyOnce)
    except yaml.reader.ReaderError as error:
        before = text[: error.position].split("\n")
        place = f"line {len(before)} column {len(before[-1]) + 1}"
        raise InputError(f"not YAML: character {chr(error.character)!r}", file=path, record=place) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1} column {mark.column + 1}" if mark else None
        raise InputError(f"not YAML: {getattr(error, 'problem', error)}", file=path, record=place) from None
    except (ValueError, RecursionError) as error:  # an invalid date, or thousands of brackets
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
        InputError: names `source` and the first offending key; unknown keys come first, with the known ones.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        # A misspelt key is also a missing one.
        details = min(error.errors(include_url=False), key=lambda found: found["type"] != "extra_forbidden")
        field = ".".join(str(part) for part in details["loc"])
        raise InputError(_explain(model, details), file=source, field=field or None) from None
    except UnicodeEncodeError:  # JSON and YAML can contain lone surrogates
        raise InputError("contains an invalid Unicode character", file=source) from None


def unknown_name(name: str, folder: Path, kind: str) -> str:
    """Return the message for a name without a file `folder`/`name`.yaml, with the known names and the nearest one.

    Args:
        kind: kind of the files in the folder, for example "variant".
    """
    return unknown(f"unknown {kind} {name!r}", name, (file.stem for file in folder.glob("*.yaml")))


def unknown(problem: str, name: str, known: Iterable[str], elsewhere: Iterable[str] = ()) -> str:
    """Return a message that lists the known names and suggests one that is similar.

    Args:
        problem: first words of the message.
        elsewhere: names in other places, as dotted paths; suggested if no known name is similar.
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    paths = {path.rpartition(".")[2]: path for path in elsewhere}
    near = near or [paths[key] for key in difflib.get_close_matches(name, sorted(paths), n=1)]
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{problem}; known are {', '.join(names) or 'none'}{hint}"


def _explain(model: type[BaseModel], details: ErrorDetails) -> str:
    if details["type"] == "extra_forbidden":
        block = _block_of(model, details["loc"][:-1]) or model
        return unknown("unknown key", str(details["loc"][-1]), block.model_fields, _paths(model))
    value = details["input"]
    shown = f", not {value!r}" if isinstance(value, str | int | float | bool) else ""
    return details["msg"].removeprefix("Value error, ") + shown


def _block_of(model: type[BaseModel], place: tuple[int | str, ...]) -> type[BaseModel] | None:
    """Return the block of settings at the place of an error; None if there is no block.

    A place consists of keys, indices and, where several blocks are possible, the tag that chose one.
    """
    annotation: object = model
    for key in place:
        annotation = _part_of(annotation, key)
    blocks = list(_blocks(annotation))
    return blocks[0] if len(blocks) == 1 else None


def _part_of(annotation: object, key: int | str) -> object:
    """Return the annotation of a key or index of a value, or of the block that a tag chooses."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation.model_fields[key].annotation if key in annotation.model_fields else None
    arguments = [argument for argument in get_args(annotation) if argument is not type(None)]
    if get_origin(annotation) in (Union, UnionType) and len(arguments) > 1:
        return next((block for block in arguments if _has_tag(block, key)), None)
    if get_origin(annotation) in (Union, UnionType, Annotated):
        return _part_of(arguments[0], key)
    return arguments[-1] if get_origin(annotation) in (dict, Mapping) else next(iter(arguments), None)


def _has_tag(block: object, tag: int | str) -> bool:
    """Whether a literal of a block has this value."""
    fields = block.model_fields.values() if isinstance(block, type) and issubclass(block, BaseModel) else ()
    return any(tag in get_args(field.annotation) for field in fields if get_origin(field.annotation) is Literal)


def _paths(model: type[BaseModel]) -> Iterator[str]:
    """Yield the dotted paths of all keys of a model and of the blocks in it."""
    for key, field in model.model_fields.items():
        yield key
        for block in _blocks(field.annotation):
            yield from (f"{key}.{path}" for path in _paths(block))


def _blocks(annotation: object) -> Iterator[type[BaseModel]]:
    """Yield the blocks of settings that a field's annotation names."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, UnionType, Annotated, tuple, list, dict, Mapping):
        for argument in get_args(annotation):
            yield from _blocks(argument)
