"""Copy of a clone in a separate folder, with a study as its default configuration."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from transpose.config.load import load_study
from transpose.errors import InputError

CLONE = Path(__file__).parents[2]
"""Root of the repository."""

_FOLDERS = ("transpose", "snakemake_logger_plugin_transpose", "workflow", "config", "profiles")
_FILES = ("Snakefile", "environment.yml")
_NO_RESULTS = ("logs", "mlartifacts", "mlflow.db")
"""Prefixes of names in a results folder that are not results."""


def copy_clone(folder: Path) -> None:
    """Copy package, workflow, configuration and profiles of this clone into a folder; enough for `snakemake`."""
    for name in _FOLDERS:
        shutil.copytree(CLONE / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in _FILES:
        shutil.copy(CLONE / name, folder / name)


@dataclass(frozen=True)
class Checkout:
    """A folder in which `snakemake` runs a study; `results` and `resources` are relative to it."""

    folder: Path
    results: str
    resources: str

    @classmethod
    def make(cls, folder: Path, study: Path) -> "Checkout":
        """Copy package, workflow and configuration of this clone into a new folder.

        Args:
            study: copied to `config/config.yaml`.

        Raises:
            InputError: the folder exists, or the study is wrong or writes elsewhere.
        """
        settings = load_study(study)
        for field in ("results", "resources"):
            if Path(getattr(settings, field)).is_absolute() or ".." in Path(getattr(settings, field)).parts:
                raise InputError("must be a relative path without ..", file=study, field=field)
        if folder.exists():
            raise InputError("exists already; remove it or name another folder", file=folder)
        copy_clone(folder)
        shutil.copy(study, folder / "config" / "config.yaml")
        return cls(folder.resolve(), settings.results, settings.resources)

    def copy(self, folder: Path) -> "Checkout":
        """Copy this checkout, so that later changes of the clone do not affect it."""
        shutil.copytree(self.folder, folder)
        return Checkout(folder.resolve(), self.results, self.resources)

    def made(self) -> dict[str, Path]:
        """Return the files that the study has made so far, by their path relative to the folder.

        Temporary files, logs, run times and the MLflow store are left out.
        """
        results = self.folder / self.results
        files = {}
        for root in (results, self.folder / self.resources):
            # Unlike a glob, `os.walk` ignores folders that are deleted meanwhile.
            for parent, folders, names in os.walk(root):
                unimportant = _NO_RESULTS if Path(parent) == results else ()
                folders[:] = [name for name in folders if not name.startswith((".", *unimportant))]
                for name in names:
                    if not name.startswith((".", *unimportant)):
                        path = Path(parent) / name
                        files[path.relative_to(self.folder).as_posix()] = path
        return files
