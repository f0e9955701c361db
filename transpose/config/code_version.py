"""The code that made a result, and the machine that it ran on."""

from collections.abc import Mapping

from pydantic import PositiveInt

from transpose.config.base import Settings
from transpose.config.training import Dtype


class CodeVersion(Settings):
    """Commit of the code, whether it had uncommitted changes, and a digest of the code that decides the result."""

    git: str | None
    dirty: bool | None
    fingerprint: str


class Origin(Settings):
    """The code that made a result, the machine with its library versions, and how a network ran.

    Dtype and threads are null if no network ran, and in records of older versions.
    """

    code: CodeVersion
    environment: Mapping[str, str]
    dtype: Dtype | None = None
    threads: PositiveInt | None = None
    """CPU threads."""
