"""Read the files of one training as MLflow params, tags, metrics, data sets and artifacts."""

import fcntl
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from transpose.config.dataset import Accuracy
from transpose.config.load import read_record
from transpose.config.recipe import Recipe
from transpose.config.run_record import RunRecord
from transpose.errors import InputError
from transpose.files import read_json, read_json_lines, sha256_of_file, visible_files
from transpose.study.layout import RecordKind, ResultsLayout, RunId
from transpose.tracking.tables import Table, evaluation_tables


@dataclass(frozen=True)
class DatasetUse:
    """Data set used by a run: `digest` is the SHA-256 of its annotations, `boxes` the kind of boxes or None."""

    name: str
    folder: str
    digest: str
    context: str
    boxes: str | None = None


@dataclass(frozen=True)
class TrackedEvaluation:
    """Accuracy in one evaluation setting, by its MLflow name `AP_{dataset}_{split}_{boxes}`."""

    use: DatasetUse
    metrics: dict[str, float]


@dataclass(frozen=True)
class TrackedRun:
    """One training (variant, seed), read from its files.

    Attributes:
        params: the recipe with flat keys, such as `training.schedule.peak`.
        epochs: metrics of each epoch, by epoch.
        tables: tables of the evaluations, by artifact path.
        artifacts: files by artifact path; file names are kept.
        finished: training has finished.
        running: a process has locked the run folder.
        ended: time of run.json in ms since 1970; None if there is none.
        seconds: duration of the training.
        weights: path and SHA-256 of the best weights; None before training has finished.
        best: epoch of the best weights and their validation metric; None if they were not trained here.
    """

    variant: str
    seed: int
    recipe: Recipe
    params: dict[str, str]
    tags: dict[str, str]
    epochs: dict[int, dict[str, float]]
    evaluations: tuple[TrackedEvaluation, ...]
    tables: dict[str, Table]
    datasets: tuple[DatasetUse, ...]
    artifacts: dict[str, Path]
    finished: bool
    running: bool
    ended: int | None
    seconds: float
    weights: tuple[Path, str] | None
    best: tuple[int, float] | None


def read_run(layout: ResultsLayout, run_name: RunId) -> TrackedRun:
    """Read all files of one training in a results folder; later stages may be missing.

    Raises:
        InputError: there is no training, a file is broken, or an evaluation is of other weights.
    """
    trained, variant = layout.train(run_name), run_name.variant
    folder = trained.folder
    if not folder.is_dir():
        raise InputError("nothing has been trained here", file=folder)
    run_file, weights_file = trained.record, trained.weights
    run = read_record(RunRecord, run_file) if run_file.is_file() else None
    history = read_json_lines(trained.history) if trained.history.is_file() else []
    # A finished training has its own recipe, which the study may have changed since.
    recipe = run.recipe if run else read_record(Recipe, layout.record(RecordKind.RECIPE, variant))
    weights = (weights_file, _digest_of(weights_file)) if run else None
    metrics_files = list(_read_metrics(layout, run_name, weights))
    evaluations = tuple(map(_evaluation, metrics_files))
    return TrackedRun(
        variant=variant,
        seed=int(run_name.seed),
        recipe=recipe,
        params=flat_params(recipe.reproducibility_values()),
        tags=_tags(run, weights) if run else {},
        epochs={record["epoch"]: epoch_metrics(record) for record in history},
        evaluations=evaluations,
        tables=evaluation_tables(metrics_files),
        datasets=(*_training_data(run), *(evaluation.use for evaluation in evaluations)),
        artifacts=dict(_artifacts(layout, run_name)),
        finished=bool(run),
        running=not run and is_locked(folder),
        ended=int(run_file.stat().st_mtime * 1000) if run else None,
        seconds=run.session.seconds if run and run.session else 0.0,
        weights=weights,
        best=(run.training.best_epoch, run.training.best_value) if run and run.training else None,
    )


def is_locked(folder: Path) -> bool:
    """Whether a process has locked a run folder with `transpose.files.folder_lock`."""
    try:
        with (folder / ".lock").open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass
    return False


def flat_params(recipe: Mapping[str, Any]) -> dict[str, str]:
    """Nested settings as `a.b.c`: text as it is, everything else as JSON."""
    return dict(_leaves(recipe, ""))


def epoch_metrics(record: Mapping[str, Any]) -> dict[str, float]:
    """Return loss, learning rate and the validation's AP or PCKh50 of a line of the history.

    MLflow draws charts of metrics with a slash in their name first, so only these have one. All numbers are in
    `history.jsonl`.
    """
    validation = record["validation"] or {}
    accuracy = {f"validation_{name}": validation[name] for name in get_args(Accuracy) if name in validation}
    numbers = {name: record[name] for name in ("loss", "learning_rate")} | accuracy
    return {f"training/{name}": float(number) for name, number in numbers.items()}


def _leaves(value: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield from _leaves(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", _text(item)


def _read_metrics(layout: ResultsLayout, run: RunId, weights: tuple[Path, str] | None) -> Iterator[Mapping[str, Any]]:
    for path in visible_files(layout.metrics_of_run(run)):
        if path.suffix != ".json":
            continue
        record = read_json(path)
        if weights is not None and record.get("weights_sha256") != weights[1]:
            raise InputError(f"not an evaluation of {weights[0]}; evaluate again", file=path, field="weights_sha256")
        yield record


def _evaluation(record: Mapping[str, Any]) -> TrackedEvaluation:
    setting = (record["dataset"], record["split"], record["boxes"])
    metric = record.get("metric", "AP")
    use = DatasetUse(
        "/".join(setting), "/".join(setting[:2]), record["annotations_sha256"], "evaluation", record["boxes_kind"]
    )
    return TrackedEvaluation(use, {"_".join((metric, *setting)): float(record["metrics"][metric])})


def _training_data(run: RunRecord | None) -> Iterator[DatasetUse]:
    if run is None or run.training is None:
        return
    for context, data in run.training.data:
        folder = Path(data.annotations).parent
        yield DatasetUse(f"{'/'.join(folder.parts[-2:])} ({context})", str(folder), data.sha256, context)


def _tags(run: RunRecord, weights: tuple[Path, str] | None) -> dict[str, str]:
    values = {
        "title": run.title,
        "initialisation": run.initialisation,
        "parameters": run.parameters,
        "git": run.code.git,
        "git_dirty": run.code.dirty,
        "code_fingerprint": run.code.fingerprint,
        "dtype": run.recipe.training.dtype,
        "threads": ", then ".join(map(str, run.threads)) or None,
        "weights_sha256": weights and weights[1],
        **run.environment,
    }
    tags = {f"transpose.{key}": _text(value) for key, value in values.items() if value is not None}
    # MLflow's tag for the commit, shown in its user interface.
    return tags | ({"mlflow.source.git.commit": run.code.git} if run.code.git else {})


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _artifacts(layout: ResultsLayout, run: RunId) -> Iterator[tuple[str, Path]]:
    trained = layout.train(run)
    single_files = {
        "recipe": [layout.record(RecordKind.RECIPE, run.variant)],
        "cost": [layout.cost(run.variant)],
        "training": [trained.record, trained.history],
    }
    for stage, paths in single_files.items():
        yield from ((f"{stage}/{path.name}", path) for path in paths if path.is_file())
    folders = {layout.metrics_of_run(run): {".json"}, layout.attention_of_run(run): {".json", ".png"}}
    for (folder, suffixes), stage in zip(folders.items(), ("metrics", "attention"), strict=True):
        for path in visible_files(folder):
            if path.suffix in suffixes:
                yield f"{stage}/{path.relative_to(folder).as_posix()}", path


def _digest_of(path: Path) -> str:
    if not path.is_file():
        raise InputError("no such file, although the training has finished", file=path)
    return sha256_of_file(path)
