"""Register logged models, one version per weights, with the alias `best` for the best seed of a variant."""

from contextlib import suppress
from typing import TYPE_CHECKING

from transpose.files import exclusive_lock
from transpose.study.destination import TrackingDestination
from transpose.study.layout import ResultsLayout
from transpose.tracking.descriptions import of_model
from transpose.tracking.experiment import SEED, Experiment
from transpose.tracking.model import DIGEST
from transpose.tracking.record import TrackedRun

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

BEST = "best"
"""Alias of the version to use: `models:/STUDY-VARIANT@best`."""

_VALUE = "transpose.best_value"


def registered_name(destination: TrackingDestination, variant: str) -> str:
    """Return the name of a variant's registered model: STUDY-VARIANT, or EXPERIMENT-STUDY-VARIANT."""
    return "-".join(dict.fromkeys((destination.experiment, destination.study, variant)))


def register_model(
    layout: ResultsLayout, experiment: Experiment, run: "Run", record: TrackedRun, model_id: str
) -> None:
    """Register the weights of a finished training unless they are, and give `best` to the best seed.

    The best seed has the highest validation metric; of a seed that was trained again, its latest weights count.
    """
    assert record.weights is not None
    client, name = experiment.client, registered_name(experiment.destination, record.variant)
    # Seeds of one variant are tracked by concurrent jobs.
    with exclusive_lock(layout.tracking_database().with_name(f".{record.variant}.lock")):
        versions = _versions(client, name)
        if record.weights[1] not in {one.tags.get(DIGEST) for one in versions}:
            if not versions:
                _create(client, name, record)
            _add_version(experiment, name, run, record, model_id)
            versions = _versions(client, name)
        best = _best_of(versions)
        if client.get_registered_model(name).aliases.get(BEST) != best:
            client.set_registered_model_alias(name, BEST, best)


def _versions(client: "MlflowClient", name: str) -> "list[ModelVersion]":
    """Return all versions of a registered model, oldest first; none if it does not exist."""
    found = client.search_model_versions(f"name = '{name}'")
    versions = list(found)
    while found.token:
        found = client.search_model_versions(f"name = '{name}'", page_token=found.token)
        versions += found
    return sorted(versions, key=lambda one: int(one.version))


def _create(client: "MlflowClient", name: str, record: TrackedRun) -> None:
    """Create a registered model unless it exists: a process may have been killed before it added a version."""
    from mlflow.exceptions import MlflowException

    if not client.search_registered_models(f"name = '{name}'"):
        # Another machine may create it at the same time.
        with suppress(MlflowException):
            client.create_registered_model(name, description=f"{record.recipe.variant.title}: one version per weights.")


def _add_version(experiment: Experiment, name: str, run: "Run", record: TrackedRun, model_id: str) -> None:
    assert record.weights is not None
    tags = {DIGEST: record.weights[1], SEED: str(record.seed)}
    if record.best is not None:
        tags[_VALUE] = repr(record.best[1])
    experiment.client.create_model_version(
        name,
        experiment.client.get_logged_model(model_id).artifact_location,
        run.info.run_id,
        tags,
        description=of_model(record),
        model_id=model_id,
    )


def _best_of(versions: "list[ModelVersion]") -> str:
    """Return the number of the best version; the oldest of equal ones."""
    latest = {one.tags.get(SEED): one for one in versions}
    best = max(latest.values(), key=lambda one: float(one.tags.get(_VALUE, "-inf")))
    return str(best.version)
