"""Atomic file writing, locks, JSON and .npz reading, and digests."""

import codecs
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
"""Names of the temporary files of `atomic_path`."""
_DAMAGED_ARRAYS = (
    *(OSError, ValueError, EOFError, MemoryError, RuntimeError, NotImplementedError, TypeError, SyntaxError),
    *(zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError),
)
"""Exceptions that numpy and the libraries it uses raise for damaged .npz files."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path` that replaces `path` at the end, or is removed on an exception.

    The temporary name keeps the suffix, since many writers choose the format by it.

    Raises:
        InputError: the file cannot be written; an existing file stays.
    """
    with atomic_paths(path) as (temporary,):
        yield temporary


@contextmanager
def atomic_paths(*paths: Path) -> Iterator[tuple[Path, ...]]:
    """As `atomic_path`, for several files: all are on disk before the first one, in this order, is replaced.

    Raises:
        InputError: a file cannot be written; existing files stay.
    """
    with ExitStack() as stack:
        temporaries = tuple(stack.enter_context(_temporary_file(path)) for path in paths)
        with _write_errors(dict(zip(temporaries, paths, strict=True))):
            yield temporaries
            for temporary in temporaries:
                _flush_to_disk(temporary)
                temporary.chmod(0o666 & ~_umask())
            for temporary, path in zip(temporaries, paths, strict=True):
                temporary.replace(path)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder that replaces `path` at the end, or is removed on an exception.

    Raises:
        InputError: the folder cannot be written; an existing folder stays.
    """
    with _write_errors_of(path):
        _make_folder(path.parent)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        with _write_errors({temporary: path}):
            yield temporary
            temporary.chmod(0o777 & ~_umask())
            _replace_folder(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def visible_files(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and its folders, sorted, without temporary ones that killed processes have left."""
    for path in sorted(folder.rglob("[!.]*")):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


@contextmanager
def removed_if_empty(folder: Path) -> Iterator[None]:
    """Remove the folder and its parents after an exception, as far as they are empty and did not exist before."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        yield
    except BaseException:
        for path in new:
            with suppress(OSError):
                path.rmdir()
        raise


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Lock a folder for this process. The lock ends with the process, even if its children live on.

    Raises:
        InputError: another process, which is named, has the lock, or the lock file cannot be written.
    """
    with _write_errors_of(folder):
        _make_folder(folder)
        # Opened to append: a refused process must not erase the name of the one that has the lock.
        handle = (folder / ".lock").open("a+")
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            problem = f"another process is working in this folder: {handle.read().strip() or 'unknown'}"
            raise InputError(problem, file=folder) from None
        # A forked child, such as a data loading process, would otherwise keep the lock as long as it lives.
        os.register_at_fork(after_in_child=handle.close)
        with _write_errors_of(folder):
            handle.truncate(0)
            handle.write(f"process {os.getpid()} on {platform.node()}\n")
            handle.flush()
        yield


@contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    """Wait for an exclusive lock of a file and keep it during the block; it ends with the process in any case."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files of killed writers from a folder that no other process writes to."""
    for path in folder.iterdir():
        if _TEMPORARY_NAME.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any, indent: int | None = 1) -> None:
    """Write JSON atomically. Floats round-trip exactly; NaN is refused because JSON has none."""
    write_text(path, json.dumps(value, indent=indent, allow_nan=False) + "\n")


def write_npz(path: Path, **arrays: np.ndarray) -> None:
    """Write arrays as a compressed .npz atomically."""
    # Given a path, numpy would append a missing suffix .npz.
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)


def read_npz(path: Path, names: Sequence[str], what: str) -> dict[str, np.ndarray]:
    """Read the named arrays of an .npz file.

    Args:
        what: the expected content, for messages ("no ...").

    Raises:
        InputError: the file is missing, damaged, or lacks an array.
    """
    try:
        # Given a path, numpy would leave a damaged file open.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
            return {name: content[name] for name in names}
    except FileNotFoundError:
        raise InputError("no such file", file=path) from None
    except KeyError as error:
        raise InputError(f"no {what}: {error.args[0]}", file=path) from None
    except _DAMAGED_ARRAYS as error:
        raise InputError(f"no {what}: {error}", file=path) from None


def read_json(path: Path) -> Any:
    """Parse a JSON file.

    Raises:
        InputError: the file is missing, not UTF-8 or not JSON; names line and column.
    """
    try:
        return pydantic_core.from_json(_read_bytes(path))
    except ValueError:
        pass  # The standard library is slower, but has better messages and accepts lone surrogates.
    try:
        return json.loads(_read_text(path))
    except json.JSONDecodeError as error:
        raise InputError(
            f"not JSON: {error.msg}", file=path, record=f"line {error.lineno} column {error.colno}"
        ) from None
    except (ValueError, RecursionError) as error:  # thousands of digits or of nested brackets
        raise InputError(f"cannot be read: {error}", file=path) from None


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Parse a file with a JSON object on each line.

    Raises:
        InputError: the file is missing or not UTF-8, or a line, which is named, is not a JSON object.
    """
    lines = _read_text(path).removesuffix("\n").split("\n")
    return [_parse_line(path, number, line) for number, line in enumerate(lines, start=1)] if lines != [""] else []


def sha256_of_file(path: Path) -> str:
    """Compute the hexadecimal SHA-256 of a file's bytes.

    Raises:
        InputError: the file is missing or cannot be read.
    """
    with _readable(path), path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def user_cache() -> Path:
    """Return the user's folder of files that this package can make again."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "transpose"


def digest_of_value(value: Any) -> str:
    """Compute the hexadecimal SHA-256 of a JSON value, independent of the order of keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@contextmanager
def _temporary_file(path: Path) -> Iterator[Path]:
    """Yield an empty file in the folder of `path`, which is removed afterwards."""
    with _write_errors_of(path):
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
def _write_errors_of(path: Path) -> Iterator[None]:
    """Context manager: re-raise disk errors as an InputError that names `path`.

    Raises:
        InputError: the file cannot be written.
    """
    try:
        yield
    except OSError as error:
        if (problem := disk_problem(error)) is None:
            raise
        raise InputError(f"cannot be written: {problem}", file=path) from None


@contextmanager
def _write_errors(places: Mapping[Path, Path]) -> Iterator[None]:
    """Context manager: re-raise disk errors as an InputError that names the output, not its temporary file.

    Args:
        places: output by temporary file or folder; an error that names no file is reported for the first output.

    Raises:
        InputError: the file cannot be written.
    """
    try:
        yield
    except InputError as error:
        raise InputError(
            error.problem, file=_output_of(error.file, places), record=error.record, field=error.field
        ) from error
    except OSError as error:
        if (problem := disk_problem(error)) is None:
            raise
        file = next(iter(places.values())) if error.filename is None else _output_of(error.filename, places)
        raise InputError(f"cannot be written: {problem}", file=file) from None


def _output_of(file: object, places: Mapping[Path, Path]) -> object:
    """Return the output file of a temporary file; any other file unchanged."""
    if not isinstance(file, str | Path):
        return file
    for temporary, output in places.items():
        if Path(file).is_relative_to(temporary):
            return output / Path(file).relative_to(temporary)
    return file


def _replace_folder(new: Path, path: Path) -> None:
    """Replace `path`, which may be a folder that another process replaces at the same time."""
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
        raise InputError("no such file", file=path) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", file=path) from None


def _read_bytes(path: Path) -> bytes:
    with _readable(path):
        return _utf8(path.read_bytes())


def _read_text(path: Path) -> str:
    with _readable(path):
        return _utf8(path.read_bytes()).decode()


def _utf8(data: bytes) -> bytes:
    """Return a text without its byte order mark, as UTF-8; Windows tools write such marks, and UTF-16."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16").encode()
    return data.removeprefix(codecs.BOM_UTF8)


def _parse_line(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        problem = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise InputError(f"not JSON: {problem}", file=path, record=f"line {number}") from None
    if not isinstance(value, dict):
        raise InputError("not a JSON object", file=path, record=f"line {number}")
    return value


def _flush_to_disk(path: Path) -> None:
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
