"""Synchronise one MLflow run with the files of its training."""

import json
from typing import TYPE_CHECKING, Any

from transpose.study.destination import TrackingDestination
from transpose.study.layout import ResultsLayout, RunId
from transpose.tracking.connection import tracking_errors
from transpose.tracking.descriptions import of_training
from transpose.tracking.experiment import NOTE, PARENT, Experiment, epoch_point, exclusive_run_lock
from transpose.tracking.model import log_model
from transpose.tracking.record import DatasetUse, TrackedRun, read_run
from transpose.tracking.registry import register_model

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Metric, Run

_DIGEST_LENGTH = 36
"""MLflow's maximum length of a data set digest."""


def track_run(layout: ResultsLayout, destination: TrackingDestination, chosen: RunId) -> dict[str, Any]:
    """Sync one training, its evaluations, figures and weights to MLflow (idempotent).

    Concurrent calls wait for each other: a job that outlived Snakemake may still run when its successor starts.
    A run that contradicts the files (another recipe, or other metrics for an epoch) is tagged `superseded` and replaced
    by a new one. A second call with unchanged files logs nothing.

    Returns:
        `run_id`, `experiment_id`, `status`, `model_id` and the numbers of items of each kind in the files; `added` is
        the number of new params, tags and metric points.

    Raises:
        InputError: a file is missing or wrong, or the tracking server cannot be reached.
    """
    record = read_run(layout, chosen)
    with tracking_errors(destination.uri(layout.root)), exclusive_run_lock(layout, chosen):
        experiment = Experiment.open(destination, layout.root)
        run, added = _sync_run(experiment, record)
        if NOTE not in run.data.tags:
            added += experiment.add_tags(run, {NOTE: of_training(record)})
        added += experiment.add_tags(run, record.tags | {PARENT: experiment.study_run().info.run_id})
        added += experiment.add_tables(run, record.tables)
        _log_datasets(experiment, run, record)
        model_id = log_model(experiment, run, record) if record.weights is not None else None
        if model_id is not None:
            register_model(layout, experiment, run, record, model_id)
        added += _log_evaluations(experiment, run, record, model_id)
        for name, path in record.artifacts.items():
            folder = name.rpartition("/")[0]
            experiment.client.log_artifact(run.info.run_id, str(path), folder or None)
        status = _settle_status(experiment, run, record)
    return {
        "run_id": run.info.run_id,
        "experiment_id": experiment.id,
        "status": status,
        "model_id": model_id,
        "params": len(record.params),
        "epochs": len(record.epochs),
        "metrics": sum(len(evaluation.metrics) for evaluation in record.evaluations),
        "datasets": len(record.datasets),
        "artifacts": len(record.artifacts) + len(record.tables),
        "added": added,
    }


def _sync_run(experiment: Experiment, record: TrackedRun) -> tuple["Run", int]:
    """Log params and epochs; return the run and the number of new items."""
    start = record.ended - int(record.seconds * 1000) if record.ended is not None else None
    run = experiment.training_run(record.variant, record.seed, record.params, start)
    points = _missing_points(experiment, run, record)
    if points is None:
        experiment.supersede(run)
        run = experiment.training_run(record.variant, record.seed, record.params, start)
        points = _missing_points(experiment, run, record) or []
    return run, experiment.add_params(run, record.params) + experiment.add_metrics(run, points)


def _missing_points(experiment: Experiment, run: "Run", record: TrackedRun) -> list["Metric"] | None:
    """Return epoch metrics that the run lacks, or None if it has others than the files.

    During training, the training's log process logs them.
    """
    if record.running:
        return []
    points = []
    for name in sorted({name for metrics in record.epochs.values() for name in metrics}):
        logged = {point.step: point.value for point in experiment.client.get_metric_history(run.info.run_id, name)}
        recorded = {epoch: metrics[name] for epoch, metrics in record.epochs.items() if name in metrics}
        # The history of an unfinished training may lag behind the live log.
        known = logged.keys() if record.finished else logged.keys() & recorded.keys()
        if any(logged[epoch] != recorded.get(epoch) for epoch in known):
            return None
        points += [epoch_point(run, name, value, epoch) for epoch, value in recorded.items() if epoch not in logged]
    return points


def _log_evaluations(experiment: Experiment, run: "Run", record: TrackedRun, model_id: str | None) -> int:
    """Log the accuracy of each evaluation, linked to the model and the data set; return the number of new ones."""
    logged, added = experiment.client.get_run(run.info.run_id), 0
    for evaluation in record.evaluations:
        data = {"dataset_name": evaluation.use.name, "dataset_digest": evaluation.use.digest[:_DIGEST_LENGTH]}
        added += experiment.add_changed(logged, evaluation.metrics, model_id=model_id, **data)
    return added


def _log_datasets(experiment: Experiment, run: "Run", record: TrackedRun) -> None:
    """Log the data sets; MLflow ignores those that the run already has."""
    from mlflow.exceptions import MlflowException

    for use in record.datasets:
        data = _dataset_input(use)
        try:
            experiment.client.log_inputs(run.info.run_id, [data])
        except MlflowException:
            # If two jobs log the same new data set at once, one fails; it then finds the other's.
            experiment.client.log_inputs(run.info.run_id, [data])


def _dataset_input(use: DatasetUse) -> "DatasetInput":
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source = json.dumps({"uri": use.folder})
    data = Dataset(use.name, use.digest[:_DIGEST_LENGTH], source_type="local", source=source)
    tags = {"mlflow.data.context": use.context, "sha256": use.digest} | ({"boxes": use.boxes} if use.boxes else {})
    return DatasetInput(data, [InputTag(key, value) for key, value in tags.items()])


def _settle_status(experiment: Experiment, run: "Run", record: TrackedRun) -> str:
    """Set the status from the files: a training that is neither finished nor running was killed."""
    if record.finished:
        status = "FINISHED"
    elif record.running:
        status = "RUNNING"
    else:
        status = "FAILED" if run.info.status == "FAILED" else "KILLED"
    experiment.set_status(run, status, record.ended)
    return status
