"""Start, stop and kill PostgreSQL and an MLflow server on this machine."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from transpose.errors import InputError
from transpose.serving.run import bound_socket

_USER = "postgres"
"""PostgreSQL refuses to run as root; Debian's package creates this user."""
_START_SECONDS = 600.0
_ENVIRONMENT = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def missing_requirement() -> str | None:
    """Return what this machine lacks for the server; None if nothing."""
    if _program("initdb") is None:
        return "PostgreSQL is not installed (Debian: apt install postgresql)"
    if importlib.util.find_spec("psycopg2") is None:
        return "PostgreSQL's driver is not installed (pip install psycopg2-binary)"
    if os.geteuid() == 0 and _USER not in {user.pw_name for user in pwd.getpwall()}:
        return f"PostgreSQL does not run as root, and there is no user {_USER}"
    return None


class PostgreSQL:
    """A database in a folder of its own, on a Unix socket in it; only its owner and root can reach it."""

    def __init__(self) -> None:
        """Create an empty database, without starting it."""
        self._folder = Path(tempfile.mkdtemp(prefix="mlflow-postgresql-"))
        if os.geteuid() == 0:
            shutil.chown(self._folder, _USER, _USER)
        self._data = self._folder / "data"
        self._run("initdb", "--username=mlflow", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C")

    @property
    def uri(self) -> str:
        """Address for SQLAlchemy."""
        return f"postgresql+psycopg2://mlflow@/postgres?host={self._folder}"

    def version(self) -> str:
        """Return its major version."""
        return (self._data / "PG_VERSION").read_text().strip()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-c listen_addresses='' -c unix_socket_directories='{self._folder}' -c fsync=off"
        self._run("pg_ctl", "start", "--wait", f"--options={options}", f"--log={self._folder}/log")

    def stop(self, mode: str = "fast") -> None:
        """Stop it; the mode `immediate` is a crash, after which it recovers from its log."""
        self._run("pg_ctl", "stop", "--wait", f"--mode={mode}")

    def remove(self) -> None:
        """Stop it if it runs, and delete the database."""
        with suppress(InputError):
            self.stop("immediate")
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        path = _program(program)
        if path is None:
            raise InputError(missing_requirement() or f"{program} is missing", file="PostgreSQL")
        user = ("runuser", "-u", _USER, "--") if os.geteuid() == 0 else ()
        # The server keeps a pipe of standard output open.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                [*user, str(path), f"--pgdata={self._data}", *arguments],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                check=False,
                cwd="/",
            )
            output.seek(0)
            if done.returncode:
                raise InputError(f"{program} failed: {output.read().decode(errors='replace')}", file="PostgreSQL")


class TrackingServer:
    """An MLflow server with its artifacts in a folder."""

    def __init__(self, folder: Path, database: PostgreSQL) -> None:
        """Choose a free port, without starting the server.

        Args:
            folder: new folder for artifacts and the log.
            database: must be running when the server is started.
        """
        with bound_socket("127.0.0.1", 0) as found:
            self._port = found.getsockname()[1]
        folder.mkdir(parents=True)
        self._folder, self._database = folder, database
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        """Tracking URI for clients."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            InputError: it ends, or does not answer in ten minutes.
        """
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self._port)]
        stores = ["--backend-store-uri", self._database.uri, "--artifacts-destination", str(self._folder / "artifacts")]
        log = self._folder / "server.log"
        with log.open("ab") as stream:
            self._process = subprocess.Popen(
                [*command, *stores, "--workers", "1"],
                env={name: value for name, value in os.environ.items() if not name.startswith("MLFLOW")} | _ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise InputError("the MLflow server did not start", file=log)
            time.sleep(0.2)

    def stop(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it and its workers, by default without notice."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            self._process.wait(60)
            self._process = None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=5) as response:
                return response.status == 200
        except OSError:
            return False


@contextmanager
def running_server(folder: Path) -> Iterator[tuple[TrackingServer, PostgreSQL]]:
    """Run an MLflow server on a new PostgreSQL database during the block; the database is deleted afterwards.

    Args:
        folder: new folder for artifacts and the server's log.

    Raises:
        InputError: a requirement is missing, or one of the two does not start.
    """
    if (reason := missing_requirement()) is not None:
        raise InputError(reason, file="MLflow server")
    database = PostgreSQL()
    try:
        database.start()
        server = TrackingServer(folder, database)
        try:
            server.start()
            yield server, database
        finally:
            server.stop()
    finally:
        database.remove()


def _program(name: str) -> Path | None:
    """Return a program of PostgreSQL: from PATH, else the newest of Debian's versions."""
    if (found := shutil.which(name)) is not None:
        return Path(found)
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    return versions[-1] if versions else None
