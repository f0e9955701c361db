"""Files that appear whole or not at all, and the digests that name them."""

import errno
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import struct
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pydantic_core

from transpose.disk import disk_problem
from transpose.errors import InputError

_TEMPORARY_NAME = re.compile(r"\..+-[a-z0-9_]{8}(\.[^.]+)?")
"""What `atomic_path` calls a file before it has its name."""
_DAMAGED_ARRAYS = (
    *(OSError, ValueError, EOFError, MemoryError, RuntimeError, NotImplementedError, TypeError, SyntaxError),
    *(zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError),
)
"""What numpy and the libraries below it raise for damaged .npz files, depending on where the damage is."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that replaces it when the block ends, and vanishes when the block raises.

    The temporary name keeps the suffix, since many writers choose their format by it.

    Raises:
        InputError: the disk does not take the file; what was there stays.
    """
    with atomic_paths(path) as (temporary,):
        yield temporary


@contextmanager
def atomic_paths(*paths: Path) -> Iterator[tuple[Path, ...]]:
    """`atomic_path` for files that belong together: all are on the disk before the first one, in this order, appears.

    Raises:
        InputError: the disk does not take one of them; what was there of any stays.
    """
    with ExitStack() as stack:
        temporaries = tuple(stack.enter_context(_temporary_file(path)) for path in paths)
        with _told_of(dict(zip(temporaries, paths, strict=True))):
            yield temporaries
            for temporary in temporaries:
                _flush_to_disk(temporary)
                temporary.chmod(0o666 & ~_umask())
            for temporary, path in zip(temporaries, paths, strict=True):
                temporary.replace(path)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder that replaces `path` when the block ends, and vanishes when the block raises.

    Raises:
        InputError: the disk does not take the folder; what was there stays.
    """
    with _told_of_output(path):
        _make_folder(path.parent)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        with _told_of({temporary: path}):
            yield temporary
            temporary.chmod(0o777 & ~_umask())
            _replace_folder(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold a folder for this process; the lock dies with the process, however that ends, and whomever it leaves behind.

    Raises:
        InputError: another living process, which is named, holds it, or the disk does not take the lock's file.
    """
    with _told_of_output(folder):
        _make_folder(folder)
        # Opened to append: whoever is refused must not wipe out who holds it.
        handle = (folder / ".lock").open("a+")
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            problem = f"another process is working in this folder: {handle.read().strip() or 'unknown'}"
            raise InputError(folder, None, None, problem) from None
        # A child that is forked, such as one that loads images, would hold the lock as long as it lives.
        os.register_at_fork(after_in_child=handle.close)
        with _told_of_output(folder):
            handle.truncate(0)
            handle.write(f"process {os.getpid()} on {platform.node()}\n")
            handle.flush()
        yield


@contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    """Wait until no other process has this file's turn, and have it; it ends with the process, however that ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files in a folder of writers that were killed; only where nobody else writes."""
    for path in folder.iterdir():
        if _TEMPORARY_NAME.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any, indent: int | None = 1) -> None:
    """Write JSON atomically; floats round-trip exactly, NaN is refused because JSON has none."""
    write_text(path, json.dumps(value, indent=indent, allow_nan=False) + "\n")


def write_npz(path: Path, **arrays: np.ndarray) -> None:
    """Write arrays as a compressed .npz atomically."""
    # Given a path, numpy would append the suffix .npz where it is missing.
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)


def read_npz(path: Path, names: Sequence[str], what: str) -> dict[str, np.ndarray]:
    """Read the named arrays of an .npz file.

    Args:
        what: what a message says that the file is not.

    Raises:
        InputError: the file is missing, damaged, or lacks an array.
    """
    try:
        # Given a path, numpy would leave a damaged file open.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
            return {name: content[name] for name in names}
    except FileNotFoundError:
        raise InputError(path, None, None, "no such file") from None
    except KeyError as error:
        raise InputError(path, None, None, f"no {what}: {error.args[0]}") from None
    except _DAMAGED_ARRAYS as error:
        raise InputError(path, None, None, f"no {what}: {error}") from None


def read_json(path: Path) -> Any:
    """Parse a JSON file.

    Raises:
        InputError: the file is missing, not UTF-8 or not JSON; the line and column are named.
    """
    try:
        return pydantic_core.from_json(_read_bytes(path))
    except ValueError:
        pass  # The standard library, which takes longer, says better what is wrong, and forgives half a character.
    try:
        return json.loads(_read_text(path))
    except json.JSONDecodeError as error:
        raise InputError(path, f"line {error.lineno} column {error.colno}", None, f"not JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, or as many brackets
        raise InputError(path, None, None, f"cannot be read: {error}") from None


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Parse a file that holds a JSON object on each line.

    Raises:
        InputError: the file is missing or not UTF-8, or a line is no JSON object; the line is named.
    """
    lines = _read_text(path).removesuffix("\n").split("\n")
    return [_parse_line(path, number, line) for number, line in enumerate(lines, start=1)] if lines != [""] else []


def sha256_of_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes.

    Raises:
        InputError: the file is missing or cannot be read.
    """
    with _readable(path), path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_of_value(value: Any) -> str:
    """Hexadecimal SHA-256 of a JSON value, the same whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@contextmanager
def _temporary_file(path: Path) -> Iterator[Path]:
    """An empty file beside `path`, which is gone afterwards."""
    with _told_of_output(path):
        _make_folder(path.parent)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None


@contextmanager
def _told_of_output(path: Path) -> Iterator[None]:
    """While entered, whatever the disk refuses is refused to `path`.

    Raises:
        InputError: in place of the disk's errors.
    """
    try:
        yield
    except OSError as error:
        if (problem := disk_problem(error)) is None:
            raise
        raise InputError(path, None, None, f"cannot be written: {problem}") from None


@contextmanager
def _told_of(places: Mapping[Path, Path]) -> Iterator[None]:
    """Tell what a disk does not take by the places of outputs, not by those of temporary files.

    Args:
        places: output by temporary file or folder; an error that names no file is the first one's.

    Raises:
        InputError: in place of the disk's errors.
    """
    try:
        yield
    except InputError as error:
        raise InputError(_output_of(error.file, places), error.record, error.field, error.problem) from error
    except OSError as error:
        if (problem := disk_problem(error)) is None:
            raise
        file = next(iter(places.values())) if error.filename is None else _output_of(error.filename, places)
        raise InputError(file, None, None, f"cannot be written: {problem}") from None


def _output_of(file: object, places: Mapping[Path, Path]) -> object:
    """The file of an output that a temporary one becomes; any other file is itself."""
    if not isinstance(file, str | Path):
        return file
    for temporary, output in places.items():
        if Path(file).is_relative_to(temporary):
            return output / Path(file).relative_to(temporary)
    return file


def _replace_folder(new: Path, path: Path) -> None:
    """Put a folder in the place of `path`, which may be a folder, and which another process may replace as well."""
    old = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        while True:
            # A rename onto an empty folder replaces it.
            with suppress(FileNotFoundError):
                path.replace(old)
            try:
                new.replace(path)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                shutil.rmtree(old)
                old.mkdir()
                continue
            return
    finally:
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise InputError(path, None, None, "no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(path, None, None, f"cannot be read: {error}") from None


def _read_bytes(path: Path) -> bytes:
    with _readable(path):
        return path.read_bytes()


def _read_text(path: Path) -> str:
    with _readable(path):
        return path.read_text(encoding="utf-8")


def _parse_line(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        problem = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise InputError(path, f"line {number}", None, f"not JSON: {problem}") from None
    if not isinstance(value, dict):
        raise InputError(path, f"line {number}", None, "not a JSON object")
    return value


def _flush_to_disk(path: Path) -> None:
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
