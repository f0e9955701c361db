"""What a finished study made, by the SHA-256 of each file, without what no two runs share."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transpose.config.load import load_study
from transpose.fault_injection.checkout import Checkout
from transpose.files import digest_of_value, read_json, sha256_of_file
from transpose.tracking.logged_runs import LoggedRun, logged_runs

LEFT_OUT: Mapping[str, tuple[str, ...]] = {
    # How long a training took, how often it was interrupted, and the digest of a checkpoint that knows that too.
    "run.json": ("session",),
    # Measured times and the machine's load. Parameters and operations stay.
    "cost": ("timings", "machine"),
    # Where the database lies.
    "database.json": ("tracking_uri",),
    # Identifiers that MLflow draws, and how much of a run it held already.
    "tracking": ("run_id", "experiment_id", "model_id", "added"),
}
"""Fields that two runs of one study may differ in, by the name of a JSON file or of its topmost folder."""

_METRICS_LEFT_OUT = ("training/seconds", "training/resumed_at_epoch", "cost/timings/")
"""The same, in MLflow's names."""


@dataclass(frozen=True)
class RunOutcome:
    """What can be compared of a finished study.

    Attributes:
        digests: SHA-256 of each file, and of each of MLflow's runs, by name.
        faults: what no study may end with, one line each.
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
        """One SHA-256 over everything."""
        return digest_of_value(self.digests)

    def differences(self, other: "RunOutcome") -> list[str]:
        """One line for each file or run that the other outcome lacks, has besides, or has otherwise."""
        lines = []
        for name in sorted(self.digests.keys() | other.digests.keys()):
            mine, others = self.digests.get(name), other.digests.get(name)
            if mine != others:
                lines.append(f"{name}: {(mine or 'not there')[:16]} here, {(others or 'not there')[:16]} there")
        return lines


def _digest(path: Path, place: Path) -> str:
    """SHA-256 of a file, or of its JSON without the fields that are left out.

    Args:
        place: the path from the folder that holds results of all kinds.
    """
    left_out = LEFT_OUT.get(place.name, LEFT_OUT.get(place.parts[0], ()))
    if path.suffix != ".json" or not left_out:
        return sha256_of_file(path)
    value: dict[str, Any] = read_json(path)
    return digest_of_value({key: item for key, item in value.items() if key not in left_out})


def _digest_of_run(run: LoggedRun) -> str:
    """SHA-256 of what MLflow holds of a run: parameters, points, artifacts, models."""
    metrics = {name: points for name, points in run.metrics.items() if not name.startswith(_METRICS_LEFT_OUT)}
    artifacts = {name: _digest(path, Path(name)) for name, path in run.artifacts.items()}
    return digest_of_value(
        json.loads(json.dumps([run.name, run.status, run.params, metrics, artifacts, run.models], sort_keys=True))
    )


def _faults(runs: list[LoggedRun]) -> list[str]:
    faults = []
    for name in sorted({run.name for run in runs}):
        namesakes = [run for run in runs if run.name == name]
        if len(namesakes) > 1:
            faults.append(f"MLflow: {name} is there {len(namesakes)} times")
        faults += [f"MLflow: {name} is {run.status}" for run in namesakes if run.status != "FINISHED"]
        faults += [f"MLflow: {name} is superseded" for run in namesakes if run.superseded]
        faults += [f"MLflow: {name} repeats steps of {metric}" for run in namesakes for metric in run.repeated_steps()]
    return faults
