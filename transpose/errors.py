"""Errors caused by bad input or by the machine."""

import re
from importlib.metadata import PackageNotFoundError, requires

_SECRET = re.compile(r"([?&][^=&\s]*(?:password|token|secret)[^=&\s]*=)[^&\s'\"]+", re.IGNORECASE)
"""Password in the query of a URL."""
_LOGIN = re.compile(r"(?<=://)(?:[^\s/?#]*|[^\s/:@]*:(?!\d+[/?#])[^\s@]*)@")
"""User name and password of a URL, also with characters in the password that a URL must not contain."""


class InputError(Exception):
    """Bad input, reported in one line that names the file, the record in it and the field of that record.

    Commands print it without a traceback and exit with status 1.
    """

    def __init__(
        self, problem: str, file: object | None = None, record: object | None = None, field: str | None = None
    ) -> None:
        self.problem = problem
        self.file = file
        self.record = record
        self.field = field
        super().__init__(problem, file, record, field)

    def __str__(self) -> str:
        places = (str(place) for place in (self.file, self.record, self.field) if place is not None)
        return without_logins(" ".join(": ".join((*places, self.problem)).split()))


def without_logins(text: str) -> str:
    """Replace the user names, passwords and tokens in the URLs of a text by three dots."""
    return _SECRET.sub(r"\1...", _LOGIN.sub("...@", text))


def lost_worker(error: RuntimeError) -> str | None:
    """Return the message for a data loading process that was killed from outside; None for any other error.

    PyTorch raises this error from a signal handler, at any point of the program, and has no separate type for it.
    """
    match = re.match(r"DataLoader worker \(pid.*?\) (is killed by signal: \w[\w ]*|exited unexpectedly)", str(error))
    if match is None:
        return None
    reason = match[1].removeprefix("is ").strip()
    advice = "run the same command to continue; if memory was full, lower training.workers"
    return f"a process that loads images has ended ({reason}); {advice}"


def missing_extra(error: ImportError) -> str | None:
    """Return the message for a package of one of our extras that is not installed; None for any other import error."""
    name = (error.name or "").partition(".")[0]
    try:
        requirements = requires("transpose-pipeline") or []
    except PackageNotFoundError:
        return None
    wanted = re.compile(rf"{re.escape(name)}\b.*; extra == ['\"](\w+)['\"]")
    matches = [match for match in map(wanted.fullmatch, requirements) if match is not None] if name else []
    if not matches:
        return None
    commands = " or ".join(f"pip install 'transpose-pipeline[{match[1]}]'" for match in matches)
    return f"this needs {name}, which is not installed: {commands}"
