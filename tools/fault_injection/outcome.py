"""Digests of the results of a finished study, without values that change between runs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.fault_injection.checkout import Checkout
from tools.fault_injection.logged_runs import LOAD, LoggedRun, logged_runs
from transpose.config.load import load_study
from transpose.files import digest_of_value, read_json, sha256_of_file

LEFT_OUT: Mapping[str, tuple[str, ...]] = {
    # Duration, number of interruptions, and the digest of a checkpoint that contains both.
    "run.json": ("session",),
    # Measured times and load of the machine. Parameters and operations are compared.
    "cost": ("timings", "machine"),
    # Path of the database.
    "database.json": ("tracking_uri",),
    # Random identifiers of MLflow, and the number of values that were not logged before.
    "tracking": ("run_id", "experiment_id", "model_id", "added"),
}
"""Fields that may differ between two runs of one study, by the name of a JSON file or of its top folder."""


@dataclass(frozen=True)
class RunOutcome:
    """Comparable results of a finished study.

    Attributes:
        digests: SHA-256 of each file and of each MLflow run, by name.
        faults: one line per error in MLflow, such as duplicate or unfinished runs.
    """

    digests: dict[str, str]
    faults: tuple[str, ...]

    @classmethod
    def of(cls, checkout: Checkout) -> "RunOutcome":
        """Read the results, the data and the database of a finished study.

        Raises:
            InputError: a file is broken, or there is no database.
        """
        results = checkout.folder / checkout.results
        digests = {
            name: _digest(path, path.relative_to(results) if path.is_relative_to(results) else Path(path.name))
            for name, path in checkout.made().items()
        }
        study = load_study(checkout.folder / "config" / "config.yaml").name
        runs = logged_runs(results, study)
        tracked = {f"MLflow: {run.name}": _digest_of_run(run) for run in runs}
        return cls(dict(sorted(digests.items())) | dict(sorted(tracked.items())), tuple(_faults(runs)))

    def digest(self) -> str:
        """Return one SHA-256 over all digests."""
        return digest_of_value(self.digests)

    def differences(self, other: "RunOutcome") -> list[str]:
        """Return one line per file or run that is missing, extra or different in the other outcome."""
        lines = []
        for name in sorted(self.digests.keys() | other.digests.keys()):
            this, that = self.digests.get(name), other.digests.get(name)
            if this != that:
                lines.append(f"{name}: {(this or 'missing')[:16]} here, {(that or 'missing')[:16]} there")
        return lines


def _digest(path: Path, relative: Path) -> str:
    """Return the SHA-256 of a file, or of its JSON without the fields of `LEFT_OUT`.

    Args:
        relative: path relative to the results folder.
    """
    left_out = LEFT_OUT.get(relative.name, LEFT_OUT.get(relative.parts[0], ()))
    if path.suffix != ".json" or not left_out:
        return sha256_of_file(path)
    value: dict[str, Any] = read_json(path)
    return digest_of_value({key: item for key, item in value.items() if key not in left_out})


def _digest_of_run(run: LoggedRun) -> str:
    """Return the SHA-256 of a run in MLflow: parameters, metrics, artifacts and models."""
    metrics = {name: points for name, points in run.metrics.items() if not name.startswith(LOAD)}
    artifacts = {name: _digest(path, Path(name)) for name, path in run.artifacts.items()}
    return digest_of_value(
        json.loads(json.dumps([run.name, run.status, run.params, metrics, artifacts, run.models], sort_keys=True))
    )


def _faults(runs: list[LoggedRun]) -> list[str]:
    faults = []
    for name in sorted({run.name for run in runs}):
        same_name = [run for run in runs if run.name == name]
        if len(same_name) > 1:
            faults.append(f"MLflow: {name} exists {len(same_name)} times")
        faults += [f"MLflow: {name} is {run.status}" for run in same_name if run.status != "FINISHED"]
        faults += [f"MLflow: {name} is superseded" for run in same_name if run.superseded]
        faults += [f"MLflow: {name} repeats steps of {metric}" for run in same_name for metric in run.repeated_steps()]
    return faults
