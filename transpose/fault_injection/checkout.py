"""What a clone holds, copied into a folder of its own with a study as its default."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from transpose.config.load import load_study
from transpose.errors import InputError
from transpose.provenance import PACKAGE

_FOLDERS = ("transpose", "workflow", "config", "profiles")
_FILES = ("Snakefile", "environment.yml")
_NO_RESULTS = ("logs", "benchmarks", "mlartifacts", "mlflow.db")
"""What the names in a results folder begin with that are no results."""


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
            study: becomes the copy's `config/config.yaml`.

        Raises:
            InputError: the folder exists, the study is wrong or writes elsewhere, or the package is not in a clone.
        """
        settings = load_study(study)
        for field in ("results", "resources"):
            if Path(getattr(settings, field)).is_absolute() or ".." in Path(getattr(settings, field)).parts:
                raise InputError(study, None, field, "must lie within the folder that the study runs in")
        if folder.exists():
            raise InputError(folder, None, None, "is there already; name another folder or remove it")
        clone = PACKAGE.parent
        if not (clone / "Snakefile").is_file():
            raise InputError(clone, None, None, "no clone of the repository: it holds no Snakefile")
        for name in _FOLDERS:
            shutil.copytree(clone / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in _FILES:
            shutil.copy(clone / name, folder / name)
        shutil.copy(study, folder / "config" / "config.yaml")
        return cls(folder.resolve(), settings.results, settings.resources)

    def copy(self, folder: Path) -> "Checkout":
        """Another one of the same, which later changes of the clone do not reach."""
        shutil.copytree(self.folder, folder)
        return Checkout(folder.resolve(), self.results, self.resources)

    def made(self) -> dict[str, Path]:
        """Files that the study has made so far, by their path from the folder; temporary ones left out.

        Logs, run times and MLflow's own store are no results.
        """
        results = self.folder / self.results
        files = {}
        for root in (results, self.folder / self.resources):
            # Unlike a glob, this does not mind folders that vanish meanwhile.
            for place, folders, names in os.walk(root):
                unimportant = _NO_RESULTS if Path(place) == results else ()
                folders[:] = [name for name in folders if not name.startswith((".", *unimportant))]
                for name in names:
                    if not name.startswith((".", *unimportant)):
                        path = Path(place) / name
                        files[path.relative_to(self.folder).as_posix()] = path
        return files
