"""Compare every number and file in MLflow with the files of a results folder, without the code that logs them."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

_SETTING = ("dataset", "split", "boxes")
_TABLES = (".csv", ".md", ".html", ".tex")


@dataclass
class Equality:
    """Result of a comparison: numbers and files that were compared, and one line per difference."""

    numbers: int = 0
    files: int = 0
    differences: list[str] = field(default_factory=list)

    def expect(self, name: str, logged: object, expected: object) -> None:
        """Count a number, and note it if it is another one."""
        self.numbers += 1
        if logged != expected:
            self.differences.append(f"{name}: {logged!r} in MLflow, {expected!r} in the files")


def compare_with_files(uri: str, experiment: str, results: Path) -> Equality:
    """Compare an experiment with all finished trainings of a results folder, and with the study's tables.

    Each training must be one finished run under the one run of the study, with exactly the epochs of its history.
    """
    client, found = MlflowClient(uri), Equality()
    entry = client.get_experiment_by_name(experiment)
    if entry is None:
        found.differences.append(f"there is no experiment {experiment}")
        return found
    runs = [run for run in client.search_runs([entry.experiment_id]) if run.data.tags.get("superseded") != "true"]
    studies = [run for run in runs if run.data.tags.get("transpose.kind") == "study"]
    found.expect("runs of the study", len(studies), 1)
    records = sorted(results.glob("train/*/seed*/run.json"))
    found.expect("runs of trainings", len(runs) - len(studies), len(records))
    for path in records:
        variant, seed = path.parts[-3], path.parts[-2].removeprefix("seed")
        name = f"{variant} seed {seed}"
        named = [run for run in runs if run.info.run_name == name]
        found.expect(f"runs {name}", len(named), 1)
        for run in named[:1]:
            found.expect(f"{name}: status", run.info.status, "FINISHED")
            found.expect(f"{name}: parent", run.data.tags.get("mlflow.parentRunId"), studies[0].info.run_id)
            _compare_training(client, run, results, path.parent, found)
    for run in studies[:1]:
        tables = {path.name: path for path in results.iterdir() if path.suffix in _TABLES and path.stem != "README"}
        tables.pop("report.html", None)
        _compare_files(client, run, tables, found)
    return found


def _compare_training(client: MlflowClient, run: Run, results: Path, folder: Path, found: Equality) -> None:
    name = str(run.info.run_name)
    history = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    expected = {
        "training/loss": [(line["epoch"], line["loss"]) for line in history],
        "training/learning_rate": [(line["epoch"], line["learning_rate"]) for line in history],
        "training/validation_AP": [(line["epoch"], line["validation"]["AP"]) for line in history if line["validation"]],
    }
    for metric, points in expected.items():
        logged = sorted((point.step, point.value) for point in client.get_metric_history(run.info.run_id, metric))
        found.expect(f"{name}: steps of {metric}", [step for step, _ in logged], [epoch for epoch, _ in points])
        for (step, value), (_, number) in zip(logged, points, strict=False):
            found.expect(f"{name}: {metric} of epoch {step}", value, number)
    scores = results / "metrics" / folder.parent.name / folder.name
    metrics = {path.relative_to(scores): path for path in scores.rglob("*.json")}
    evaluations = [json.loads(path.read_text()) for path in metrics.values()]
    for one in evaluations:
        metric = "_".join(("AP", *(one[key] for key in _SETTING)))
        found.expect(f"{name}: {metric}", run.data.metrics.get(metric), one["metrics"]["AP"])
    files = {f"metrics/{relative}": path for relative, path in metrics.items()}
    files |= {f"training/{file}": folder / file for file in ("run.json", "history.jsonl")}
    _compare_files(client, run, files, found)
    if evaluations:
        _compare_tables(client, run, evaluations, found)


def _compare_tables(client: MlflowClient, run: Run, evaluations: list[dict[str, Any]], found: Equality) -> None:
    """Compare the tables of evaluations and of keypoints, each row of which is of one setting."""
    with tempfile.TemporaryDirectory() as temporary:
        rows, keypoints = (
            list(_rows(client.download_artifacts(run.info.run_id, f"{name}.json", temporary)))
            for name in ("evaluations", "keypoints")
        )
    for one in evaluations:
        setting = [one[key] for key in _SETTING]
        name = f"{run.info.run_name}: {'/'.join(setting)}"
        chosen = [row for row in rows if [row[key] for key in _SETTING] == setting]
        found.expect(f"{name}: rows of evaluations.json", len(chosen), 1)
        expected = one["metrics"] | {key: one[key] for key in ("images", "persons", "predictions")}
        low, high = one["interval"] or (None, None)
        for key, number in (expected | {"AP_low": low, "AP_high": high}).items():
            found.expect(f"{name}: {key}", chosen[0].get(key) if chosen else None, number)
        logged = [row for row in keypoints if [row[key] for key in _SETTING] == setting]
        found.expect(f"{name}: rows of keypoints.json", len(logged), len(one["keypoints"]))
        for row, keypoint in zip(logged, one["keypoints"], strict=False):
            for key, number in keypoint.items():
                found.expect(f"{name}: {keypoint['keypoint']}: {key}", row.get(key), number)


def _rows(path: str) -> Iterator[dict[str, Any]]:
    table = json.loads(Path(path).read_text())
    return (dict(zip(table["columns"], row, strict=True)) for row in table["data"])


def _compare_files(client: MlflowClient, run: Run, files: Mapping[str, Path], found: Equality) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        for name, path in files.items():
            found.files += 1
            try:
                logged = Path(client.download_artifacts(run.info.run_id, name, temporary)).read_bytes()
            except (MlflowException, OSError):
                logged = None
            if logged != path.read_bytes():
                found.differences.append(f"{run.info.run_name}: artifact {name} is missing or differs from the file")
