"""Log a study's tables, figures and viewers to MLflow."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from transpose.config.study import StudyTable
from transpose.errors import InputError
from transpose.files import exclusive_lock
from transpose.study.layout import ResultsLayout
from transpose.tracking.connection import tracking_errors, tracking_uri
from transpose.tracking.experiment import Experiment


def track_study(layout: ResultsLayout, study: str, uri: str | None = None) -> dict[str, Any]:
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
    uri = uri or tracking_uri(layout.root)
    with tracking_errors(uri), exclusive_lock(layout.tracked_study().with_name(".study.lock")):
        experiment = Experiment.open(uri, layout.root, study)
        client, run = experiment.client, experiment.study_run()
        for name, path in artifacts.items():
            client.log_artifact(run.info.run_id, str(path), name.rpartition("/")[0] or None)
        if run.info.status != "FINISHED":
            client.set_terminated(run.info.run_id)
    return {"run_id": run.info.run_id, "experiment_id": experiment.id, "artifacts": len(artifacts)}


def _artifacts(layout: ResultsLayout) -> Iterator[tuple[str, Path]]:
    for path in layout.tables():
        yield path.name, path
    pages = layout.viewer("*", "*"), layout.error_browser("*", "*"), layout.root / "report" / "*"
    for folder in (layout.figure("*").parent, *(page.parent for page in pages)):
        for path in sorted(folder.rglob("[!.]*")):
            if path.is_file():
                yield path.relative_to(layout.root).as_posix(), path
