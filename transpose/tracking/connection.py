"""Connection to MLflow: environment variables, database, client and errors."""

import glob
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from transpose.errors import InputError
from transpose.files import exclusive_lock

if TYPE_CHECKING:
    from mlflow import MlflowClient

_DATABASE_SECONDS = 5.0
_DATABASE_BYTES = 2**19
"""Disk space that a new database and its journal need."""
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # A server that is restarted is waited for a minute; MLflow's own defaults block for four.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "5",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "2",
    # A mean over each minute of a training: one sample every 10 seconds.
    "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING": "true",
    "MLFLOW_SYSTEM_METRICS_SAMPLES_BEFORE_LOGGING": "6",
    # MLflow raises the same errors that it logs, and we report the exceptions.
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


def import_mlflow() -> None:
    """Import MLflow for later use, with its environment variables, some of which it reads at that time."""
    _prepare_environment()
    import mlflow  # noqa: F401


def initialise_database(uri: str) -> None:
    """Create MLflow's tables, which parallel jobs must not do; an existing database keeps its data.

    A new SQLite database is created atomically, because MLflow cannot resume interrupted migrations. SQLite uses
    write-ahead logging, so that readers and the writer do not wait for each other.

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
    """Return a client of the store at `uri`. Sets MLflow's environment variables unless they are set already.

    Raises:
        sqlite3.Error: the database cannot be opened (checked first, because MLflow would retry for minutes).
    """
    _prepare_environment()
    from mlflow import MlflowClient

    if (path := sqlite_path(uri)) is not None:
        if not path.exists() or _temporary_folders(path):
            _create_database(path)
        with closing(sqlite3.connect(path, timeout=_DATABASE_SECONDS)) as database:
            database.execute("PRAGMA schema_version")
    return MlflowClient(tracking_uri=_without_login(uri))


@contextmanager
def tracking_errors(uri: str) -> Iterator[None]:
    """Context manager: re-raise errors of MLflow as an InputError that names the URI.

    Raises:
        InputError: MLflow, the network, the database or the disk failed.
    """
    _prepare_environment()
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError) as error:
        reason = _reason(error)
        if _is_on_full_disk(uri):
            # SQLite may call it an I/O error.
            reason += " (the disk is full)"
        raise InputError(f"tracking failed: {reason}", file=uri) from error


def sqlite_path(uri: str) -> Path | None:
    """Return the file of a SQLite database; None for any other store."""
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def is_database(uri: str) -> bool:
    """Whether clients use a database themselves, instead of a server that also stores artifacts."""
    return uri.partition(":")[0].partition("+")[0] in _DATABASES


def _without_login(uri: str) -> str:
    """Return the address of a server without user name and password, which MLflow then reads from its variables.

    MLflow would write an address that has them into its log.
    """
    parts = urlsplit(uri)
    if is_database(uri) or parts.username is None:
        return uri
    os.environ["MLFLOW_TRACKING_USERNAME"] = unquote(parts.username)
    os.environ["MLFLOW_TRACKING_PASSWORD"] = unquote(parts.password or "")
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _create_database(path: Path) -> None:
    """Create the tables in a temporary file first: MLflow cannot resume after a full disk or a kill."""
    from mlflow import MlflowClient

    with exclusive_lock(path.with_name(f".{path.name}.lock")):
        # Of a process that was killed; no other one is creating the database now.
        for folder in _temporary_folders(path):
            shutil.rmtree(folder, ignore_errors=True)
        if path.exists():
            return
        with tempfile.TemporaryDirectory(
            prefix=f".{path.stem}-", dir=path.parent, ignore_cleanup_errors=True
        ) as folder:
            fresh = Path(folder) / path.name
            MlflowClient(tracking_uri=f"sqlite:///{fresh}").search_experiments(max_results=1)
            fresh.replace(path)


def _temporary_folders(path: Path) -> list[Path]:
    return list(path.parent.glob(f".{glob.escape(path.stem)}-????????"))


def _reason(error: BaseException) -> str:
    """Return the database's own message, else the first line: that of SQLAlchemy may be a hint on its use."""
    from sqlalchemy.exc import DBAPIError

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, DBAPIError) and cause.orig is not None:
            error = cause.orig
            break
        cause = cause.__cause__
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return f"{reason}; another process is writing to it" if "database is locked" in reason else reason


def _is_on_full_disk(uri: str) -> bool:
    path = sqlite_path(uri)
    return path is not None and path.parent.is_dir() and shutil.disk_usage(path.parent).free < _DATABASE_BYTES


def _prepare_environment() -> None:
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
