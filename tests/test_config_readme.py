"""config/README.md explains every key of the configuration, with the default and the choices that it has."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from transpose.config.dataset import Dataset
from transpose.config.study import Study
from transpose.config.variant_file import VariantFile

README = Path(__file__).parents[1] / "config" / "README.md"
ROOTS = (Study, VariantFile, Dataset)


def blocks_of(annotation: object) -> Iterator[type[BaseModel]]:
    """The models that an annotation mentions, at any depth, each before those of its own keys."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from blocks_of(field.annotation)
    for argument in get_args(annotation):
        yield from blocks_of(argument)


def choices_of(annotation: object) -> Iterator[str]:
    """The words that an annotation allows."""
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    else:
        for argument in get_args(annotation):
            yield from choices_of(argument)


def tables(text: str) -> dict[str, dict[str, tuple[str, str]]]:
    """Name in the comment above a table -> key -> (default, explanation)."""
    found = {}
    for name, rows in re.findall(r"^<!-- (\w+) -->\n((?:\|.*\n?)+)", text, flags=re.MULTILINE):
        cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows.splitlines()[2:]]
        found[name] = {key.strip("`"): (default, explanation) for key, default, explanation in cells}
    return found


def problems(model: type[BaseModel], table: dict[str, tuple[str, str]]) -> Iterator[str]:
    """One line for each disagreement between a model and its table."""
    for key in sorted(model.model_fields.keys() ^ table.keys()):
        yield f"{model.__name__}.{key} is {'not explained' if key in model.model_fields else 'no such key'}"
    for key in model.model_fields.keys() & table.keys():
        field, (default, explanation) = model.model_fields[key], table[key]
        if not is_default(field, default):
            yield f"{model.__name__}.{key} has another default than {default}"
        for choice in choices_of(field.annotation):
            if f"`{choice}`" not in explanation:
                yield f"{model.__name__}.{key} can be {choice}, which is not said"


def is_default(field: FieldInfo, cell: str) -> bool:
    """Whether a cell names the field's default."""
    if field.is_required():
        return cell == "required"
    if isinstance(field.default, BaseModel):
        return cell == "see below"
    value: Any = list(field.default) if isinstance(field.default, tuple) else field.default
    return cell.startswith("`") and yaml.safe_load(cell.strip("`")) == value


BLOCKS = list(dict.fromkeys(block for root in ROOTS for block in blocks_of(root)))


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.__name__)
def test_every_key_is_explained(block: type[BaseModel]) -> None:
    assert list(problems(block, tables(README.read_text(encoding="utf-8")).get(block.__name__, {}))) == []


def test_no_block_is_explained_that_does_not_exist() -> None:
    assert tables(README.read_text(encoding="utf-8")).keys() <= {block.__name__ for block in BLOCKS}


def test_disagreements_are_seen() -> None:
    class Block(BaseModel):
        kind: Literal["a", "b"]
        size: tuple[int, int] = (1, 2)
        new: int = 3

    text = "<!-- Block -->\n| key | default | what |\n| --- | --- | --- |\n| `kind` | required | `a` |\n"
    text += "| `size` | `[1, 3]` | big |\n| `old` | `0` | gone |\n"
    assert sorted(problems(Block, tables(text)["Block"])) == [
        "Block.kind can be b, which is not said",
        "Block.new is not explained",
        "Block.old is no such key",
        "Block.size has another default than `[1, 3]`",
    ]
