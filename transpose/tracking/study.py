"""The study's tables, figures and explorers in MLflow."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from transpose.errors import InputError
from transpose.files import turn_at
from transpose.tracking.connection import tracking_errors, tracking_uri
from transpose.tracking.experiment import KIND, Experiment

_TABLES = (
    "comparison",
    "ablations",
    "protocol_ablation",
    "resolutions",
    "precision",
    "attention_statistics",
    "faithfulness",
    "attention_ablation",
    "body_parts",
    "findings",
    "person_boxes",
)
_TABLE_SUFFIXES = ("csv", "md", "html", "tex")


def track_study(results: Path, study: str, uri: str | None = None) -> dict[str, Any]:
    """Log the study's tables, figures and explorers as artifacts of one run, named `comparison`.

    A second call renews them; two at once take turns.

    Returns:
        `run_id`, `experiment_id` and the number of `artifacts`.

    Raises:
        InputError: nothing has been compared yet, or the tracking server cannot be reached.
    """
    artifacts = dict(_artifacts(results))
    if not artifacts:
        raise InputError(results / "comparison.csv", None, None, "no such file; nothing has been compared yet")
    uri = uri or tracking_uri(results)
    with tracking_errors(uri), turn_at(results / "tracking" / ".study.lock"):
        experiment = Experiment.open(uri, results, study)
        client, kind = experiment.client, {KIND: "comparison"}
        run = experiment.find_run(kind) or client.create_run(experiment.id, None, kind, "comparison")
        for name, path in artifacts.items():
            client.log_artifact(run.info.run_id, str(path), name.rpartition("/")[0] or None)
        if run.info.status != "FINISHED":
            client.set_terminated(run.info.run_id)
    return {"run_id": run.info.run_id, "experiment_id": experiment.id, "artifacts": len(artifacts)}


def _artifacts(results: Path) -> Iterator[tuple[str, Path]]:
    for table in _TABLES:
        for suffix in _TABLE_SUFFIXES:
            if (path := results / f"{table}.{suffix}").is_file():
                yield path.name, path
    for folder, pattern in (("figures", "*.png"), ("explorer", "*.html")):
        for path in sorted((results / folder).glob(f"[!.]{pattern}")):
            yield f"{folder}/{path.name}", path
