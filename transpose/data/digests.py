"""SHA-256 of large files, cached in a file next to them."""

import re
from pathlib import Path
from typing import Any

from transpose.errors import InputError
from transpose.files import read_json, sha256_of_file, write_json


def digest_record(path: Path) -> Path:
    """Return the path of the file that stores the digest of `path`."""
    return path.with_name(f"{path.name}.sha256.json")


def remembered_sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file, computed only if its size or modification time has changed.

    Raises:
        InputError: the file is missing or cannot be read.
    """
    try:
        state = _state(path)
        record = _read_record(digest_record(path))
        if {key: record.get(key) for key in state} == state and isinstance(record.get("sha256"), str):
            return record["sha256"]
        digest = sha256_of_file(path)
    except FileNotFoundError:
        raise InputError("no such file", file=path) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from None
    remember_sha256(path, digest, state)
    return digest


def recorded_sha256(path: Path) -> str | None:
    """Return the recorded digest without checking the file; None if there is no valid record."""
    digest = _read_record(digest_record(path)).get("sha256")
    return digest if isinstance(digest, str) and re.fullmatch("[0-9a-f]{64}", digest) else None


def remember_sha256(path: Path, digest: str, state: dict[str, int] | None = None) -> None:
    """Record the digest of a file in its current state, or in `state`."""
    write_json(digest_record(path), (state or _state(path)) | {"sha256": digest})


def _state(path: Path) -> dict[str, int]:
    status = path.stat()
    return {"bytes": status.st_size, "modified_ns": status.st_mtime_ns}


def _read_record(path: Path) -> dict[str, Any]:
    """Read the record; empty if it is missing or damaged, because the file is then hashed again."""
    try:
        record = read_json(path)
    except InputError:
        return {}
    return record if isinstance(record, dict) else {}
