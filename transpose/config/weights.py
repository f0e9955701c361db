"""Released weights to download, with URLs and digests."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from transpose.config.base import Name, Settings, parse, read_yaml
from transpose.config.download import Sha256, Url
from transpose.errors import InputError


class ReleasedWeights(Settings):
    """A released checkpoint without a published full digest."""

    title: str = Field(description="Name in tables, for trainings that start from it.")
    holds: Literal["backbone", "variant"] = Field(description="A backbone alone, or a whole variant's weights.")
    sha256_prefix: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8,64}$")] | None = Field(
        default=None, description="First digits of its SHA-256, if they are part of the file's name."
    )
    without: tuple[str, ...] = Field(default=(), description="Prefixes of tensor names to leave out.")
    urls: tuple[Url, ...] = Field(min_length=1, description="Mirrors, tried in order.")


class WeightsTable(Settings):
    """The table of released weights by name."""

    weights: dict[Name, ReleasedWeights]


class Pin(Settings):
    """Digest of a file at its first use; later files must have the same."""

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
        InputError: the table is missing or wrong, or does not contain the weights (known ones are listed).
    """
    weights = load_weights_table(table).weights
    if name not in weights:
        raise InputError(f"no weights {name!r}; known are {', '.join(weights) or 'none'}", file=table, record="weights")
    return weights[name]
