"""Released weights to fetch: where they are, and what proves them."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from transpose.config.base import Name, Settings, parse, read_yaml
from transpose.config.download import Sha256, Url
from transpose.errors import InputError


class ReleasedWeights(Settings):
    """A checkpoint on the web whose publisher states no full digest."""

    title: str = Field(description="What tables call a training that starts from it.")
    holds: Literal["backbone", "variant"] = Field(description="A backbone alone, or a whole variant's weights.")
    sha256_prefix: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8,64}$")] | None = Field(
        default=None, description="First digits of its SHA-256, where the publisher puts them into the file's name."
    )
    without: tuple[str, ...] = Field(
        default=(), description="Beginnings of names of tensors to leave out, where only a part is wanted."
    )
    urls: tuple[Url, ...] = Field(min_length=1, description="Mirrors, tried in order.")


class WeightsTable(Settings):
    """The table of released weights by name."""

    weights: dict[Name, ReleasedWeights]


class Pin(Settings):
    """What a file was when it was first used here; it must be the same ever after."""

    sha256: Sha256


def load_weights_table(table: Path) -> WeightsTable:
    """Read a table of released weights.

    Raises:
        InputError: the table is missing or wrong.
    """
    return parse(WeightsTable, read_yaml(table), table)


def load_released(name: str, table: Path) -> ReleasedWeights:
    """Read one row of a table of released weights.

    Raises:
        InputError: the table is missing or wrong, or has no such weights (the known ones are listed).
    """
    weights = load_weights_table(table).weights
    if name not in weights:
        raise InputError(table, "weights", None, f"no weights {name!r}; known are {', '.join(weights) or 'none'}")
    return weights[name]
