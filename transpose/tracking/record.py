"""Read the files of one training as MLflow params, tags, metrics, data sets and artifacts."""

import fcntl
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transpose.config.load import read_record
from transpose.config.recipe import Recipe
from transpose.config.run_record import RunRecord
from transpose.config.study import EvalSetting
from transpose.errors import InputError
from transpose.files import read_json, read_json_lines, sha256_of_file
from transpose.study.layout import RecordKind, ResultsLayout, RunId
from transpose.tracking.names import keypoint_in_metric_name, shortened


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
    """Metrics of one file by their MLflow names, such as `{dataset}_{split}/{boxes}/AP`; see `tracking.names`."""

    use: DatasetUse
    metrics: dict[str, float]


@dataclass(frozen=True)
class TrackedRun:
    """One training (variant, seed), read from its files.

    Attributes:
        params: the recipe with flat keys, such as `training.schedule.peak`.
        epochs: metrics of each epoch, by epoch.
        metrics: metrics of the whole training and of its cost, without evaluations.
        artifacts: files by artifact path; file names are kept.
        finished: training has finished.
        running: a process has locked the run folder.
        ended: time of run.json in ms since 1970; None if there is none.
        seconds: duration of the training.
        weights: path and SHA-256 of the best weights; None before training has finished.
        best_value: validation metric of the best weights; None if they were not trained here.
    """

    variant: str
    seed: int
    recipe: Recipe
    params: dict[str, str]
    tags: dict[str, str]
    epochs: dict[int, dict[str, float]]
    metrics: dict[str, float]
    evaluations: tuple[TrackedEvaluation, ...]
    datasets: tuple[DatasetUse, ...]
    artifacts: dict[str, Path]
    finished: bool
    running: bool
    ended: int | None
    seconds: float
    weights: tuple[Path, str] | None
    best_value: float | None


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
    evaluations = tuple(_read_evaluations(layout, run_name, weights))
    cost_file = layout.cost(variant)
    cost = read_json(cost_file) if cost_file.is_file() else {}
    return TrackedRun(
        variant=variant,
        seed=int(run_name.seed),
        recipe=recipe,
        params=flat_params(recipe.reproducibility_values()),
        tags=_tags(run, weights) if run else {},
        epochs={record["epoch"]: epoch_metrics(record) for record in history},
        metrics=dict(_numbers(_outcome(run), "training")) | dict(_numbers(cost, "cost")),
        evaluations=evaluations,
        datasets=(*_training_data(run), *(evaluation.use for evaluation in evaluations)),
        artifacts=dict(_artifacts(layout, run_name)),
        finished=bool(run),
        running=not run and is_locked(folder),
        ended=int(run_file.stat().st_mtime * 1000) if run else None,
        seconds=run.session.seconds if run and run.session else 0.0,
        weights=weights,
        best_value=run.training.best_value if run and run.training else None,
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
    """Numbers of a line of the history: `loss`, `learning_rate`, `validation/AP` ..."""
    return {name: value for name, value in _numbers(record, "") if name != "epoch"}


def _leaves(value: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield from _leaves(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", _text(item)


def _numbers(value: object, name: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _numbers(item, f"{name}/{key}" if name else str(key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _numbers(item, f"{name}/{index}")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield name, float(value)


def _read_evaluations(
    layout: ResultsLayout, run: RunId, weights: tuple[Path, str] | None
) -> Iterator[TrackedEvaluation]:
    for path in sorted(layout.metrics_of_run(run).rglob("[!.]*.json")):
        record = read_json(path)
        if weights is not None and record.get("weights_sha256") != weights[1]:
            raise InputError(f"not an evaluation of {weights[0]}; evaluate again", file=path, field="weights_sha256")
        name = f"{record['dataset']}_{record['split']}/{record['boxes']}"
        low, high = record["interval"] or (None, None)
        metric = record.get("metric", "AP")
        numbers = record["metrics"] | {f"{metric}_low": low, f"{metric}_high": high}
        numbers |= {key: record[key] for key in ("images", "persons", "predictions", "reference_check")}
        numbers["keypoints"] = {
            keypoint_in_metric_name(keypoint["keypoint"]): keypoint for keypoint in record["keypoints"]
        }
        numbers["crowding"] = record.get("crowding") or {}
        setting = EvalSetting(record["dataset"], record["split"], record["boxes"])
        numbers["person_boxes"] = _read_boxes(layout, setting)
        use = DatasetUse(
            f"{record['dataset']}/{record['split']}/{record['boxes']}",
            f"{record['dataset']}/{record['split']}",
            record["annotations_sha256"],
            "evaluation",
            record["boxes_kind"],
        )
        yield TrackedEvaluation(use, {shortened(metric): value for metric, value in _numbers(numbers, name)})


def _read_boxes(layout: ResultsLayout, setting: EvalSetting) -> dict[str, Any]:
    """Return counts and AP of an evaluation's person boxes; missing files are left out."""
    counts, metrics = layout.box_counts(setting), layout.box_metrics(setting)
    numbers = read_json(counts) if counts.is_file() else {}
    return numbers | ({"AP": read_json(metrics)["metrics"]["AP"]} if metrics.is_file() else {})


def _outcome(run: RunRecord | None) -> dict[str, float]:
    """Return metrics of the whole training."""
    if run is None:
        return {}
    numbers: dict[str, float] = {"parameters": run.parameters, "trainable_parameters": run.trainable_parameters}
    if run.training is not None:
        numbers |= {f"best_{run.training.metric}": run.training.best_value}
        numbers |= {"best_epoch": run.training.best_epoch, "persons": run.training.persons}
    if run.session is not None:
        numbers |= {"seconds": run.session.seconds, "resumed_at_epoch": run.session.resumed_at_epoch}
    return numbers


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
        "git": run.code.git,
        "git_dirty": run.code.dirty,
        "code_fingerprint": run.code.fingerprint,
        "dtype": run.recipe.training.dtype,
        "threads": run.recipe.training.threads,
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
        for path in sorted(folder.rglob("[!.]*")):
            if path.suffix in suffixes:
                yield f"{stage}/{path.relative_to(folder).as_posix()}", path


def _digest_of(path: Path) -> str:
    if not path.is_file():
        raise InputError("no such file, although the training has finished", file=path)
    return sha256_of_file(path)
