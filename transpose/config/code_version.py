"""The code that made a result, and the machine that it ran on."""

from collections.abc import Mapping

from transpose.config.base import Settings


class CodeVersion(Settings):
    """Commit of the code, whether it had uncommitted changes, and a digest of the code that decides the result."""

    git: str | None
    dirty: bool | None
    fingerprint: str


class Origin(Settings):
    """The code that made a result, and the machine with its library versions."""

    code: CodeVersion
    environment: Mapping[str, str]
