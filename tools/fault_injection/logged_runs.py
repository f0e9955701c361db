"""Read the logged runs of a study from MLflow, for checks."""

from dataclasses import dataclass
from pathlib import Path

from transpose.study.destination import TrackingDestination
from transpose.tracking.connection import tracking_errors
from transpose.tracking.experiment import SUPERSEDED, Experiment

LOAD = "system/"
"""Prefix of the metrics of the machine's load."""


@dataclass(frozen=True)
class LoggedRun:
    """One run: `metrics` has all points as (step, value), sorted by step; `artifacts` has files by artifact path.

    `models` is the number of logged models that are ready.
    """

    name: str
    status: str
    superseded: bool
    params: dict[str, str]
    metrics: dict[str, list[tuple[int, float]]]
    artifacts: dict[str, Path]
    models: int

    def repeated_steps(self) -> list[str]:
        """Return epoch metrics with more than one point for a step.

        Metrics of a whole run have only step 0, and may have been measured again. The machine's load has no epochs.
        """
        return [
            name
            for name, points in self.metrics.items()
            if not name.startswith(LOAD)
            and any(step for step, _ in points)
            and len({step for step, _ in points}) < len(points)
        ]


def logged_runs(results: Path, study: str) -> list[LoggedRun]:
    """Read every run of the study from the database of a results folder, including superseded ones.

    Raises:
        InputError: the database does not exist or cannot be read.
    """
    destination = TrackingDestination(study, study)
    with tracking_errors(destination.uri(results)):
        experiment = Experiment.open(destination, results)
        client = experiment.client
        logged = []
        for run in client.search_runs([experiment.id]):
            identifier = run.info.run_id
            histories = {name: client.get_metric_history(identifier, name) for name in run.data.metrics}
            root = results / "mlartifacts" / identifier / "artifacts"
            models = client.search_logged_models([experiment.id], f"source_run_id = '{identifier}'")
            logged.append(
                LoggedRun(
                    name=run.info.run_name or "",
                    status=run.info.status,
                    superseded=run.data.tags.get(SUPERSEDED) == "true",
                    params=dict(run.data.params),
                    metrics={
                        name: sorted((point.step, point.value) for point in points)
                        for name, points in histories.items()
                    },
                    artifacts={path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()},
                    models=sum(model.status == "READY" for model in models),
                )
            )
    return logged
