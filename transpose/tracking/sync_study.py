"""Log a study's tables, figures and viewers to MLflow."""

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, get_args

from transpose.config.dataset import Accuracy
from transpose.config.study import StudyTable
from transpose.errors import InputError
from transpose.files import exclusive_lock, visible_files
from transpose.palette import COLOURS
from transpose.study.destination import TrackingDestination
from transpose.study.layout import ResultsLayout
from transpose.tracking.connection import tracking_errors
from transpose.tracking.experiment import VARIANT, Experiment

if TYPE_CHECKING:
    from mlflow.entities import Run

ACCURACIES = tuple(f"{name}_" for name in get_args(Accuracy))
"""First parts of the names of the evaluations' metrics."""
_COLOUR, _GREY = "mlflow.runColor", "#808080"


def track_study(layout: ResultsLayout, destination: TrackingDestination) -> dict[str, Any]:
    """Log the study's tables, figures, viewers and report as artifacts of the run above its trainings.

    A second call replaces them; concurrent calls wait for each other.

    Returns:
        `run_id`, `experiment_id` and the number of `artifacts`.

    Raises:
        InputError: there are no tables yet, or the tracking server cannot be reached.
    """
    artifacts = dict(_artifacts(layout))
    if not artifacts:
        raise InputError(
            "no such file; nothing has been compared yet", file=layout.table(StudyTable.COMPARISON).with_suffix(".csv")
        )
    with tracking_errors(destination.uri(layout.root)), exclusive_lock(layout.tracked_study().with_name(".study.lock")):
        experiment = Experiment.open(destination, layout.root)
        client, run = experiment.client, experiment.study_run()
        for name, path in artifacts.items():
            client.log_artifact(run.info.run_id, str(path), name.rpartition("/")[0] or None)
        trainings = experiment.trainings_under(run)
        _colour(experiment, run, trainings)
        experiment.add_changed(experiment.client.get_run(run.info.run_id), _best_accuracies(trainings))
        if run.info.status != "FINISHED":
            client.set_terminated(run.info.run_id)
    return {"run_id": run.info.run_id, "experiment_id": experiment.id, "artifacts": len(artifacts)}


def _colour(experiment: Experiment, study_run: "Run", trainings: "list[Run]") -> None:
    """Give the runs of each variant a colour, and the study's another, which MLflow else draws by chance."""
    experiment.add_tags(study_run, {_COLOUR: _GREY})
    variants = sorted({run.data.tags[VARIANT] for run in trainings})
    colours = dict(zip(variants, cycle(COLOURS), strict=False))
    for run in trainings:
        experiment.add_tags(run, {_COLOUR: colours[run.data.tags[VARIANT]]})


def _best_accuracies(trainings: "list[Run]") -> dict[str, float]:
    """Return the accuracy of the best variant, the mean over its seeds, by the name of the metric."""
    values: dict[str, dict[str, list[float]]] = {}
    for run in trainings:
        for name, value in run.data.metrics.items():
            if name.startswith(ACCURACIES):
                values.setdefault(name, {}).setdefault(run.data.tags[VARIANT], []).append(value)
    return {name: max(map(fmean, of_variants.values())) for name, of_variants in values.items()}


def _artifacts(layout: ResultsLayout) -> Iterator[tuple[str, Path]]:
    for path in layout.tables():
        yield path.name, path
    pages = layout.viewer("*", "*"), layout.error_browser("*", "*"), layout.report("*")
    for folder in (layout.figure("*").parent, *(page.parent for page in pages)):
        for path in visible_files(folder):
            yield path.relative_to(layout.root).as_posix(), path
