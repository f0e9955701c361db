"""The way to MLflow: its environment, its database, its client and its errors."""

import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from transpose.errors import InputError
from transpose.files import exclusive_lock

if TYPE_CHECKING:
    from mlflow import MlflowClient

_DATABASE_SECONDS = 5.0
_DATABASE_BYTES = 2**19
"""What a database and its journal need to begin with."""
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # MLflow's own defaults block for four minutes when a server is away.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    # What it logs as an error it also raises, and we report what it raises.
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
}


def tracking_uri(results: Path) -> str:
    """URI of the database in a results folder."""
    return f"sqlite:///{results.resolve()}/mlflow.db"


def initialise_database(uri: str) -> None:
    """Create MLflow's tables, which parallel jobs must not do; an existing database keeps what it holds.

    A new SQLite database appears once all its tables are there: MLflow cannot go on from the midst of its migrations.
    SQLite gets write-ahead logging, so that readers and the one writer do not wait for each other.

    Raises:
        InputError: the database or server cannot be used.
    """
    with tracking_errors(uri):
        client = connect(uri)
        if (path := sqlite_path(uri)) is not None:
            with closing(sqlite3.connect(path, timeout=_DATABASE_SECONDS)) as database:
                database.execute("PRAGMA journal_mode=WAL")
        client.search_experiments(max_results=1)


def connect(uri: str) -> "MlflowClient":
    """A client of the store at `uri`; nothing global is set but MLflow's environment variables, where they are unset.

    Raises:
        sqlite3.Error: the database cannot be opened (asked first, because MLflow would retry for minutes).
    """
    _prepare_environment()
    from mlflow import MlflowClient

    if (path := sqlite_path(uri)) is not None:
        if not path.exists():
            _create_database(path)
        with closing(sqlite3.connect(path, timeout=_DATABASE_SECONDS)) as database:
            database.execute("PRAGMA schema_version")
    return MlflowClient(tracking_uri=uri)


@contextmanager
def tracking_errors(uri: str) -> Iterator[None]:
    """Turn what goes wrong with MLflow into one line that names the URI without its password.

    Raises:
        InputError: in place of MLflow's, the network's, the database's and the disk's errors.
    """
    _prepare_environment()
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        if _is_on_full_disk(uri):
            # SQLite may call it an I/O error.
            reason += " (the disk is full)"
        raise InputError(without_password(uri), None, None, f"tracking failed: {without_password(reason)}") from error


def sqlite_path(uri: str) -> Path | None:
    """File of a SQLite database, None for any other store."""
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def without_password(text: str) -> str:
    """`text` without what stands before the @ of a URL."""
    return re.sub(r"//[^/@\s]+@", "//", text)


def _create_database(path: Path) -> None:
    """Let MLflow make its tables elsewhere first: where a full disk or a kill stops it, it never gets on from there."""
    from mlflow import MlflowClient

    with exclusive_lock(path.with_name(f".{path.name}.lock")):
        if path.exists():
            return
        with tempfile.TemporaryDirectory(
            prefix=f".{path.stem}-", dir=path.parent, ignore_cleanup_errors=True
        ) as folder:
            fresh = Path(folder) / path.name
            MlflowClient(tracking_uri=f"sqlite:///{fresh}").search_experiments(max_results=1)
            fresh.replace(path)


def _is_on_full_disk(uri: str) -> bool:
    path = sqlite_path(uri)
    return path is not None and path.parent.is_dir() and shutil.disk_usage(path.parent).free < _DATABASE_BYTES


def _prepare_environment() -> None:
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
