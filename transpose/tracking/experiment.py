"""The MLflow experiment of a study, and its runs."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from transpose.errors import InputError
from transpose.files import digest_of_value, exclusive_lock
from transpose.study.destination import TrackingDestination, database_uri
from transpose.study.layout import ResultsLayout, RunId
from transpose.tracking import descriptions
from transpose.tracking.connection import connect, is_database
from transpose.tracking.tables import Table

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment as MlflowExperiment
    from mlflow.entities import Metric, Run

SUPERSEDED = "superseded"
KIND, STUDY = "transpose.kind", "transpose.study"
NOTE = "mlflow.note.content"
"""Tag with the description that MLflow shows."""
VARIANT, SEED, RECIPE = "transpose.variant", "transpose.seed", "transpose.recipe_sha256"
PARENT = "mlflow.parentRunId"
"""Tag with the run under which MLflow shows a run."""

# MLflow refuses larger requests.
_METRICS_PER_BATCH = 1000
_PARAMS_OR_TAGS_PER_BATCH = 100

Item = TypeVar("Item")


@dataclass(frozen=True)
class Experiment:
    """A study in an experiment; artifacts of a database without a server are stored in `results`/mlartifacts."""

    client: "MlflowClient"
    id: str
    destination: TrackingDestination
    layout: ResultsLayout

    @classmethod
    def open(cls, destination: TrackingDestination, results: Path) -> "Experiment":
        """Find the experiment or create it.

        Raises:
            InputError: the experiment is deleted, or the results folder has been moved since it was created.
        """
        uri, name = destination.uri(results), destination.experiment
        client = connect(uri)
        location = (results.resolve() / "mlartifacts").as_uri() if is_database(uri) else None
        found = client.get_experiment_by_name(name) or _create_experiment(client, name, location)
        if found.lifecycle_stage != "active":
            raise InputError("the experiment is deleted; restore it in MLflow", file=uri, record=name)
        if uri == database_uri(results) and found.artifact_location != location:
            problem = f"artifacts are kept in {found.artifact_location}; delete this database and track again"
            raise InputError(f"the results were moved: {problem}", file=uri, record=name)
        # Without this kind, MLflow may show pages for language models.
        tags = {"mlflow.experimentKind": "custom_model_development"}
        for key, value in (tags | {NOTE: descriptions.of_experiment(found.experiment_id)}).items():
            if key not in found.tags:
                _set_tag(client, found.experiment_id, key, value)
        return cls(client, found.experiment_id, destination, ResultsLayout(results))

    def find_run(self, tags: Mapping[str, str]) -> "Run | None":
        """Find the newest run of the study with these tags that is not superseded, and supersede the others.

        A request that was repeated after a lost response creates a run twice.
        """
        runs = self._runs(tags)
        for run in runs[1:]:
            self.supersede(run)
        return runs[0] if runs else None

    def study_run(self) -> "Run":
        """Find or create the run of the study, under which its trainings are."""
        # Concurrent jobs must not create two.
        with exclusive_lock(self.layout.tracked_study().with_name(".study_run.lock")):
            tags = {KIND: "study"}
            run, study = self.find_run(tags), self.destination.study
            if run is not None:
                return run
            return self.client.create_run(self.id, None, tags | {NOTE: descriptions.STUDY, STUDY: study}, study)

    def trainings_under(self, study_run: "Run") -> "list[Run]":
        """Return the trainings that are not superseded, after moving those of another run of the study under this one.

        Two machines that start at once create a run of the study each, of which only the newer one stays.
        """
        runs = self._runs({KIND: "training"})
        for run in runs:
            self.add_tags(run, {PARENT: study_run.info.run_id})
        return runs

    def training_run(self, variant: str, seed: int, params: Mapping[str, str], start_time: int | None) -> "Run":
        """Find or create the run of this variant, seed and recipe; a run of another recipe is superseded.

        Args:
            start_time: start of a new run, in ms since 1970; now if None.
        """
        digest = digest_of_value(dict(params))
        run = self.find_run({VARIANT: variant, SEED: str(seed)})
        if run is not None and run.data.tags.get(RECIPE) == digest:
            return run
        if run is not None:
            self.supersede(run)
        parent = self.study_run().info.run_id
        tags = {VARIANT: variant, SEED: str(seed), RECIPE: digest, KIND: "training", PARENT: parent}
        tags |= {STUDY: self.destination.study}
        return self.client.create_run(self.id, start_time, tags, f"{variant} seed {seed}")

    def _runs(self, tags: Mapping[str, str]) -> "list[Run]":
        """Return the runs of the study with these tags that are not superseded, newest first."""
        wanted = {STUDY: self.destination.study, **tags}
        conditions = " AND ".join(f"tags.`{key}` = '{value}'" for key, value in wanted.items())
        runs = self.client.search_runs([self.id], conditions)
        left = [run for run in runs if run.data.tags.get(SUPERSEDED) != "true"]
        return sorted(left, key=lambda run: (run.info.start_time, run.info.run_id), reverse=True)

    def supersede(self, run: "Run") -> None:
        """Tag a run as superseded, keeping its data."""
        self.client.set_tag(run.info.run_id, SUPERSEDED, "true")
        if run.info.status == "RUNNING":
            self.set_status(run, "KILLED")

    def set_status(self, run: "Run", status: str, end_time: int | None = None) -> None:
        """Set the status if it differs; `end_time` in ms since 1970, now if None."""
        current = self.client.get_run(run.info.run_id).info.status
        if status == current:
            return
        if status == "RUNNING":
            self.client.update_run(run.info.run_id, status)
        else:
            self.client.set_terminated(run.info.run_id, status, end_time)

    def add_params(self, run: "Run", params: Mapping[str, str]) -> int:
        """Log missing params; return how many."""
        from mlflow.entities import Param

        new = [Param(key, value) for key, value in params.items() if key not in run.data.params]
        for batch in _batches(new, _PARAMS_OR_TAGS_PER_BATCH):
            self.client.log_batch(run.info.run_id, params=batch)
        return len(new)

    def add_tags(self, run: "Run", tags: Mapping[str, str]) -> int:
        """Set missing or changed tags; return how many."""
        from mlflow.entities import RunTag

        new = [RunTag(key, value) for key, value in tags.items() if run.data.tags.get(key) != value]
        for batch in _batches(new, _PARAMS_OR_TAGS_PER_BATCH):
            self.client.log_batch(run.info.run_id, tags=batch)
        return len(new)

    def add_tables(self, run: "Run", tables: Mapping[str, Table]) -> int:
        """Write tables as artifacts, in place of older ones, and list them for MLflow; return 1 if the list changed."""
        for name, table in tables.items():
            self.client.log_dict(run.info.run_id, table, name)
        listed = [{"path": name, "type": "table"} for name in tables]
        return self.add_tags(run, {"mlflow.loggedArtifacts": json.dumps(listed)} if listed else {})

    def add_changed(self, run: "Run", values: Mapping[str, float], **links: str | None) -> int:
        """Log metrics of the whole run that are new or changed; return how many.

        Args:
            run: with its present metrics.
            links: `model_id`, `dataset_name` and `dataset_digest` of the metrics.
        """
        from mlflow.entities import Metric

        changed = {name: value for name, value in values.items() if run.data.metrics.get(name) != value}
        # MLflow shows the latest point, so a new value must be later than the old one even if the clock is wrong.
        histories = (
            self.client.get_metric_history(run.info.run_id, name) if name in run.data.metrics else ()
            for name in changed
        )
        latest = [max([int(time.time() * 1000), *(point.timestamp + 1 for point in points)]) for points in histories]
        points = [Metric(*pair, stamp, 0, **links) for pair, stamp in zip(changed.items(), latest, strict=True)]
        return self.add_metrics(run, points)

    def add_metrics(self, run: "Run", points: Sequence["Metric"]) -> int:
        """Log these points; return how many."""
        for batch in _batches(points, _METRICS_PER_BATCH):
            self.client.log_batch(run.info.run_id, metrics=batch)
        return len(points)


def exclusive_run_lock(layout: ResultsLayout, run: RunId) -> AbstractContextManager[None]:
    """Lock a run: the log process of a training that was just killed may still be writing to MLflow."""
    return exclusive_lock(layout.tracked_run(run).with_name(f".seed{run.seed}.lock"))


def epoch_point(run: "Run", name: str, value: float, epoch: int) -> "Metric":
    """Return a metric of an epoch, with an artificial time (one second per epoch), so that it can be sent twice.

    MLflow keeps one point per (name, step, time, value); with real times, a point sent again would be duplicated.
    """
    from mlflow.entities import Metric

    return Metric(name, value, run.info.start_time + 1000 * epoch, epoch)


def _create_experiment(client: "MlflowClient", study: str, location: str | None) -> "MlflowExperiment":
    from mlflow.exceptions import MlflowException

    try:
        identifier = client.create_experiment(study, artifact_location=location)
    except MlflowException:
        # Another process may have created it first.
        if (found := client.get_experiment_by_name(study)) is None:
            raise
        return found
    return client.get_experiment(identifier)


def _set_tag(client: "MlflowClient", experiment: str, key: str, value: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.set_experiment_tag(experiment, key, value)
    except MlflowException:
        # If two jobs set a new tag at once, one fails; it then replaces the other's.
        client.set_experiment_tag(experiment, key, value)


def _batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))
