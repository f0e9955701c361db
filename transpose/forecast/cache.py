"""Cache of what the forecast measured on models."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transpose.config.base import Model
from transpose.errors import InputError
from transpose.files import digest_of_value, write_text

FOLDER = Path(".snakemake/forecast")
"""Next to Snakemake's own caches: a dry run must not make files among the results, studies with different results
folders share networks, and the speed of a CPU must not travel with results to another machine."""


@dataclass(frozen=True)
class MeasurementCache:
    """A folder with a small JSON file for each measurement.

    A file that is missing, damaged or cannot be written is no error: the measurement is repeated.
    """

    folder: Path
    code: str
    """Digest of the code that builds and measures models."""
    torch: str
    """Version of torch, from the metadata of the installed package, so that torch need not be imported."""

    def get(self, result: type[Model], key: dict[str, Any], measure: Callable[[], Model]) -> Model:
        """Return a measurement from the cache, or make and keep it.

        Args:
            key: JSON values of everything but code and torch that the measurement depends on.
        """
        key = {"result": result.__name__, "code": self.code, "torch": self.torch} | key
        path = self.folder / f"{digest_of_value(key)[:32]}.json"
        # ValidationError is a ValueError, like a file that is not UTF-8.
        with suppress(OSError, ValueError):
            return result.model_validate_json(path.read_bytes())
        measured = measure()
        with suppress(InputError, OSError):
            write_text(path, measured.model_dump_json(indent=1) + "\n")
        return measured
