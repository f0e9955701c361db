"""Archives to download, with size, digest and URLs."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, PositiveInt, StringConstraints

from transpose.config.base import Name, Settings, parse, read_yaml
from transpose.errors import InputError

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+/\S+$")]


class Archive(Settings):
    """A file to download that never changes."""

    version: str = Field(description="Version of the data.")
    bytes: PositiveInt
    sha256: Sha256
    urls: tuple[Url, ...] = Field(min_length=1, description="Mirrors, tried in order.")


class Downloads(Settings):
    """The table of archives by name."""

    archives: dict[Name, Archive]


def load_archives(table: Path) -> dict[str, Archive]:
    """Read a table of archives.

    Raises:
        InputError: the table is missing or wrong.
    """
    return parse(Downloads, read_yaml(table), table).archives


def load_archive(name: str, table: Path) -> Archive:
    """Read one row of a table of archives.

    Raises:
        InputError: the table is missing or wrong, or does not contain the archive (known ones are listed).
    """
    archives = load_archives(table)
    if name not in archives:
        raise InputError(table, "archives", None, f"no archive {name!r}; known are {', '.join(archives) or 'none'}")
    return archives[name]
