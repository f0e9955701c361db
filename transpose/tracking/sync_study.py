"""Log a study's tables, figures and viewers to MLflow."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from transpose.config.study import StudyTable
from transpose.errors import InputError
from transpose.files import exclusive_lock
from transpose.study.layout import ResultsLayout
from transpose.tracking.connection import tracking_errors, tracking_uri
from transpose.tracking.experiment import KIND, Experiment


def track_study(layout: ResultsLayout, study: str, uri: str | None = None) -> dict[str, Any]:
    """Log the study's tables, figures and viewers as artifacts of one run, named `comparison`.

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
    uri = uri or tracking_uri(layout.root)
    with tracking_errors(uri), exclusive_lock(layout.tracked_study().with_name(".study.lock")):
        experiment = Experiment.open(uri, layout.root, study)
        client, kind = experiment.client, {KIND: "comparison"}
        run = experiment.find_run(kind) or client.create_run(experiment.id, None, kind, "comparison")
        for name, path in artifacts.items():
            client.log_artifact(run.info.run_id, str(path), name.rpartition("/")[0] or None)
        if run.info.status != "FINISHED":
            client.set_terminated(run.info.run_id)
    return {"run_id": run.info.run_id, "experiment_id": experiment.id, "artifacts": len(artifacts)}


def _artifacts(layout: ResultsLayout) -> Iterator[tuple[str, Path]]:
    for path in layout.tables():
        yield path.name, path
    for example in (layout.figure("*"), layout.viewer("*", "*"), layout.error_browser("*", "*")):
        for path in sorted(example.parent.glob(f"[!.]{example.name}")):
            yield f"{path.parent.name}/{path.name}", path
