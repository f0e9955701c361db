"""Train one variant and write weights, history and run.json."""

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from transpose.config.code_version import CodeVersion
from transpose.config.dataset import accuracy_of
from transpose.config.recipe import Recipe
from transpose.config.run_record import (
    AnnotationsUsed,
    BatchSizes,
    LearningRate,
    RunRecord,
    TrainingInputs,
    TrainingResult,
    TrainingSession,
    WeightsWritten,
)
from transpose.config.study import EvalProtocol
from transpose.config.training import Training
from transpose.config.training_identity import TrainingIdentity
from transpose.cost import count_parameters
from transpose.device import describe_machine, resolve_device
from transpose.files import atomic_paths, folder_lock, remove_leftovers, sha256_of_file, write_json, write_text
from transpose.models.transpose import TransPose
from transpose.models.weights import save_weights
from transpose.provenance import git_state, training_code
from transpose.study.layout import RunFolder
from transpose.training.batch_norm import synchronised
from transpose.training.checkpoint import CheckpointStore, digest_of_checkpoint, settle_checkpoints
from transpose.training.data import TrainingData, identity_of_training
from transpose.training.distributed import ALONE, ProcessGroup
from transpose.training.finished import keep_outputs
from transpose.training.inputs import (
    FirstWeights,
    first_model,
    training_samples,
)
from transpose.training.loop import DivergedError, Observer, TrainingRun
from transpose.training.schedule import highest_rate
from transpose.training.validation import validator

DIVERGED = "diverged.json"
"""File that names the batch at which a training diverged; removed when the training succeeds."""


def train_variant(
    recipe: Recipe,
    seed: int,
    data: TrainingData,
    protocol: EvalProtocol,
    folder: Path,
    observer: Observer,
    group: ProcessGroup = ALONE,
    patience: int | None = None,
) -> RunRecord:
    """Train one variant and write `weights.safetensors` (best), `last.safetensors`, `history.jsonl` and `run.json`.

    After an interruption, the same call continues with identical results (fixed device, threads, processes). The
    checkpoint of a finished training stays, so that the same call can write lost outputs again; `run.json` names it for
    `remove_checkpoints_of`.

    Args:
        folder: folder of this run, which is locked during the training.
        observer: called in the main process only.
        group: processes that train together, all of which call this function; only the main process writes files.
        patience: epochs without a better validation after which the training ends; None trains all epochs.

    Returns:
        The content of `run.json`.

    Raises:
        InputError: data or weights are wrong, another process uses the folder, heatmaps of a validation are not
            finite, memory is full, or a file cannot be written.
        Interrupted: a stop signal arrived.
        DivergedError: loss or weights are not finite; `diverged.json` names the batch.
        RuntimeError: a data loading process was killed; see `lost_worker`.
        LostProcessError: another process of the group has ended.
        ValueError: the size of the group differs from the recipe's.
    """
    if group.size != recipe.training.gpus:
        raise ValueError(f"{group.size} processes cannot train a recipe for {recipe.training.gpus}")
    with group.on_main(folder_lock(folder)):
        job = _set_up(recipe, seed, data, protocol, folder, group, patience)
        begin = time.monotonic()
        first_epoch = job.run.progress.epoch
        _note_session(job.run)
        try:
            job.run.run(observer)
        except DivergedError as error:
            if group.is_main:
                _write_diverged(error, data, job.identity.files, folder)
            raise
        session = TrainingSession(
            seconds=round(time.monotonic() - begin, 1),
            resumed_at_epoch=first_epoch,
            checkpoint=digest_of_checkpoint(folder),
        )
        record = _record(job, recipe, seed, data, protocol, session)
        return group.raise_together(lambda: _write_outputs(job, record, folder) if group.is_main else record)


@dataclass(frozen=True)
class _Job:
    """A training that is ready to run."""

    run: TrainingRun
    model: TransPose
    start: FirstWeights
    identity: TrainingIdentity


def _set_up(
    recipe: Recipe,
    seed: int,
    data: TrainingData,
    protocol: EvalProtocol,
    folder: Path,
    group: ProcessGroup,
    patience: int | None,
) -> _Job:
    """Prepare model, samples and validation, and resume from the folder's checkpoint if it matches."""
    training = recipe.training
    context = resolve_device(training.device, training.dtype, training.threads)
    if training.compile and context.device.type == "cuda":
        context = resolve_device(training.device, training.dtype, training.threads, compiled=True)
    torch.manual_seed(seed)
    model, start = group.raise_together(lambda: first_model(recipe, data.skeleton))
    store = CheckpointStore(folder)
    identity = group.raise_together(lambda: identity_of_training(recipe, seed, data, protocol))
    group.raise_together(lambda: _tidy(folder, store, identity) if group.is_main else None)
    samples = group.raise_together(lambda: training_samples(recipe, seed, data))
    if training.sync_batch_norm:
        model = group.raise_together(lambda: synchronised(model, training, len(samples), context))
    run = group.raise_together(
        lambda: TrainingRun(
            model,
            samples,
            training,
            seed,
            context,
            store,
            identity.model_dump(mode="json"),
            validator(recipe, data, protocol, context, folder, group),
            group,
            accuracy_of(data.evaluation),
            patience,
            start.new_tensors or (),
        )
    )
    return _Job(run, model, start, identity)


def _record(
    job: _Job, recipe: Recipe, seed: int, data: TrainingData, protocol: EvalProtocol, session: TrainingSession
) -> RunRecord:
    parameters = count_parameters(job.model, recipe.variant)
    return RunRecord(
        recipe=recipe,
        seed=seed,
        skeleton=data.skeleton,
        evaluation=data.evaluation,
        protocol=protocol,
        initialisation=job.start.description,
        parameters=parameters.total,
        trainable_parameters=parameters.trainable,
        training=_result(job, recipe.training, data),
        session=session,
        released=None,
        identity_sha256=job.identity.digest,
        code=CodeVersion.model_validate(git_state() | {"fingerprint": "+".join(job.run.progress.code)}),
        environment=describe_machine(job.run.context.device),
    )


def _result(job: _Job, training: Training, data: TrainingData) -> TrainingResult:
    progress, files = job.run.progress, job.identity.files
    return TrainingResult(
        data=TrainingInputs(
            train=_annotations_used("train", data.train, files),
            validation=_annotations_used("validation", data.validation, files),
        ),
        persons=len(job.run.samples),
        backbone_sha256=files.get("backbone"),
        initial_weights_sha256=files.get("initial"),
        not_from_initial_weights=job.start.new_tensors,
        batch=BatchSizes(
            processes=training.gpus,
            per_process=training.batch_size * training.accumulate_grad_batches,
            all_processes=training.global_batch,
        ),
        threads=tuple(progress.threads),
        learning_rate=LearningRate(
            factor=training.learning_rate_factor,
            highest=highest_rate(training.schedule) * training.learning_rate_factor,
        ),
        metric=accuracy_of(data.evaluation),
        best_value=progress.best_value,
        best_epoch=progress.best_epoch,
    )


def _annotations_used(name: str, annotations: Path, files: Mapping[str, str]) -> AnnotationsUsed:
    return AnnotationsUsed(annotations=str(annotations), sha256=files[name], images_sha256=files[f"{name}_images"])


def _tidy(folder: Path, store: CheckpointStore, identity: TrainingIdentity) -> None:
    """Clean up what killed or other trainings left in a locked folder."""
    remove_leftovers(folder)
    settle_checkpoints(store, identity, logging.getLogger(__name__).warning)


def _note_session(run: TrainingRun) -> None:
    """Add the current code's fingerprint and the number of threads if epochs are left to train.

    Tables mark runs with several fingerprints.
    """
    if run.is_finished:
        return
    code, progress, threads = training_code(), run.progress, run.context.threads
    if code not in progress.code:
        progress.code.append(code)
    if progress.threads and progress.threads[-1] != threads and run.group.is_main:
        logging.getLogger(__name__).warning(
            "continuing with %d CPU threads after %d: the last digits of the weights are those of neither number alone",
            threads,
            progress.threads[-1],
        )
    if progress.threads[-1:] != [threads]:
        progress.threads.append(threads)


def _write_outputs(job: _Job, record: RunRecord, folder: Path) -> RunRecord:
    """Write the outputs, and return the record with the digests of the weights."""
    model, progress = job.model, job.run.progress
    metadata = {"variant": record.variant, "seed": str(record.seed), "initialisation": record.initialisation}
    files, keypoints = RunFolder(folder), record.skeleton.keypoints
    paths = (files.last_weights, files.weights, files.history, files.record)
    with atomic_paths(*paths) as (last, weights, history, run):
        save_weights(model, last, metadata | {"epoch": str(progress.epoch - 1)}, keypoints)
        model.load_state_dict(progress.best_weights)
        save_weights(model, weights, metadata | {"epoch": str(progress.best_epoch)}, keypoints)
        write_text(history, "".join(json.dumps(line) + "\n" for line in progress.history))
        digests = WeightsWritten(best_sha256=sha256_of_file(weights), last_sha256=sha256_of_file(last))
        record = record.model_copy(update={"weights": digests})
        write_json(run, record.model_dump(mode="json"))
    (folder / DIVERGED).unlink(missing_ok=True)
    keep_outputs(files)
    return record


def _write_diverged(error: DivergedError, data: TrainingData, digests: Mapping[str, str], folder: Path) -> None:
    batch = {"epoch": error.epoch, "step": error.step, "annotation_ids": error.annotation_ids}
    train = {"annotations": str(data.train), "sha256": digests["train"]}
    write_json(folder / DIVERGED, {"problem": f"{error.what} not finite", **batch, "train": train})
