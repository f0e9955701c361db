"""Archives and files to download, with size, digest and URLs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, PositiveInt, StringConstraints

from transpose.config.base import Name, PathText, Settings, parse, read_yaml
from transpose.errors import InputError, without_logins

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def refuse_login(address: str) -> str:
    """Return a URL, or any other text, as it is.

    Rules and records repeat URLs, so passwords in them would be stored in many files.

    Raises:
        ValueError: the URL contains a user name or a password.
    """
    if without_logins(address) != address:
        raise ValueError("must not contain a user name or password; write them into ~/.netrc")
    return address


Address = Annotated[PathText, AfterValidator(refuse_login)]
"""A path, or a URL without user name and password."""

Url = Annotated[str, AfterValidator(refuse_login), StringConstraints(pattern=r"^https?://[^\s/]+/\S+$")]


class Archive(Settings):
    """A file to download that never changes."""

    version: str = Field(description="Version of the data.")
    bytes: PositiveInt
    sha256: Sha256
    urls: tuple[Url, ...] = Field(min_length=1, description="Mirrors, tried in order.")


class Downloads(Settings):
    """The table of archives, and of single files, by name."""

    archives: dict[Name, Archive]
    files: dict[Name, Archive] = Field(default={})


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
    return _row(name, load_archives(table), table, "archives", "archive")


def load_file(name: str, table: Path) -> Archive:
    """Read the row of a single file; see `load_archive`."""
    return _row(name, parse(Downloads, read_yaml(table), table).files, table, "files", "file")


def _row(name: str, rows: Mapping[str, Archive], table: Path, section: str, kind: str) -> Archive:
    if name not in rows:
        raise InputError(f"no {kind} {name!r}; known are {', '.join(rows) or 'none'}", file=table, record=section)
    return rows[name]
