"""One training from a recipe to files: weights, history and the record of how they came about."""

import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from transpose.compute import choose_compute, describe_machine
from transpose.config.dataset import accuracy_of
from transpose.config.recipe import Recipe
from transpose.config.study import Protocol
from transpose.cost import count_parameters
from transpose.data.coco import load_annotations
from transpose.data.loader import TrainingSamples
from transpose.data.pictures import pictures_beside
from transpose.files import atomic_paths, folder_lock, remove_leftovers, sha256_of_file, write_json, write_text
from transpose.models.initialise import initialise, renew_final_layer
from transpose.models.transpose import TransPose
from transpose.models.variants import build_model
from transpose.models.weights import load_backbone, load_to_fine_tune, read_metadata, save_weights
from transpose.provenance import TRAINING_CODE, code_fingerprint, git_state
from transpose.skeleton import Skeleton
from transpose.training.checkpoint import CheckpointStore, settle_checkpoints
from transpose.training.checkpoint_files import digest_of_checkpoint
from transpose.training.data import TrainingData
from transpose.training.distributed import ALONE, Group
from transpose.training.loop import DivergedError, Observer, Progress, TrainingRun
from transpose.training.schedule import highest_rate
from transpose.training.validation import validator

DIVERGED = "diverged.json"
"""Which batch a training ended at because of numbers that are not finite; gone once it has come to its end."""


def train_variant(
    recipe: Recipe,
    seed: int,
    data: TrainingData,
    protocol: Protocol,
    folder: Path,
    observer: Observer,
    group: Group = ALONE,
) -> dict[str, Any]:
    """Train one variant and write `weights.safetensors` (best), `last.safetensors`, `history.jsonl` and `run.json`.

    Interrupted at any moment, the same call continues and ends with the same bytes (fixed device, threads, processes).
    The checkpoint of a finished training stays, so that the same call writes lost outputs anew; `run.json` names it,
    for `remove_checkpoints_of`.

    Args:
        folder: of this run; a lock keeps a second trainer out.
        observer: is told by the leader of the group alone.
        group: the processes that train together, each of which makes this call; the leader alone writes.

    Returns:
        The content of `run.json`.

    Raises:
        InputError: data, weights or another process in the folder forbid it, a validation finds the model diverged, a
            GPU's memory does not suffice, or the disk does not take a file.
        Interrupted: a signal asked to stop.
        DivergedError: loss or weights are not finite; `diverged.json` holds which batch it was.
        RuntimeError: a process that loads pictures was killed; see `lost_worker`.
        LostProcessError: another process of the group has ended.
        ValueError: the group is not of the recipe's size.
    """
    if group.size != recipe.training.gpus:
        raise ValueError(f"{group.size} processes cannot train a recipe for {recipe.training.gpus}")
    with group.led(folder_lock(folder)):
        training = recipe.training
        compute = choose_compute(training.device, training.precision, training.threads)
        digests = group.agree(lambda: _input_digests(recipe, data))
        torch.manual_seed(seed)
        model, start = group.agree(lambda: _first_model(recipe, data.skeleton))
        store = CheckpointStore(folder)
        identity = _identity(recipe, seed, data, protocol, digests)
        group.agree(lambda: _tidy(folder, store, identity) if group.leads else None)
        run = group.agree(
            lambda: TrainingRun(
                model,
                _samples(recipe, seed, data),
                training,
                seed,
                compute,
                store,
                identity,
                validator(recipe, data, protocol, compute, folder, group),
                group,
                accuracy_of(data.evaluation),
            )
        )
        begin = time.monotonic()
        first_epoch = run.progress.epoch
        _note_code(run.progress, training.epochs)
        try:
            progress = run.run(observer)
        except DivergedError as error:
            if group.leads:
                _write_diverged(error, data, digests, folder)
            raise
        parameters = count_parameters(model, recipe.variant)
        record = {
            "variant": recipe.name,
            "title": recipe.variant.title,
            "seed": seed,
            "recipe": recipe.deciding_values(),
            "initialisation": start.description,
            "backbone_sha256": digests.get("backbone"),
            "initial_weights_sha256": digests.get("initial"),
            "not_from_initial_weights": start.new_tensors,
            "precision": compute.precision,
            "threads": compute.threads,
            "batch": {
                "processes": group.size,
                "per_process": training.batch_size,
                "global": training.global_batch,
            },
            "learning_rate": {
                "factor": training.learning_rate_factor,
                "highest": highest_rate(training.schedule) * training.learning_rate_factor,
            },
            "parameters": parameters.total,
            "trainable_parameters": parameters.trainable,
            "best_epoch": progress.best_epoch,
            f"best_{run.metric}": progress.best_value,
            "epochs": training.epochs,
            "persons": len(run.samples),
            "seconds": round(time.monotonic() - begin, 1),
            "resumed_at_epoch": first_epoch,
            "data": {
                "train": {"annotations": str(data.train), "sha256": digests["train"]},
                "validation": {"annotations": str(data.validation), "sha256": digests["validation"]},
            },
            "checkpoint": digest_of_checkpoint(folder),
            "code": {**git_state(), "fingerprint": "+".join(progress.code)},
            "environment": describe_machine(compute.device),
        }
        group.agree(lambda: _write_outputs(model, progress, record, folder) if group.leads else None)
        return record


def _input_digests(recipe: Recipe, data: TrainingData) -> dict[str, str]:
    """SHA-256 of every file that decides the weights."""
    files = {"train": data.train, "validation": data.validation}
    if recipe.training.backbone_weights is not None:
        files["backbone"] = Path(recipe.training.backbone_weights)
    if recipe.training.initial_weights is not None:
        files["initial"] = Path(recipe.training.initial_weights)
    return {name: sha256_of_file(path) for name, path in files.items()}


@dataclass(frozen=True)
class _Start:
    """Where a model's first weights come from."""

    description: str
    """As tables print it."""
    new_tensors: list[str] | None = None
    """Official names of what fine-tuning did not take from its file; None without fine-tuning."""


def _first_model(recipe: Recipe, skeleton: Skeleton) -> tuple[TransPose, _Start]:
    training = recipe.training
    model = build_model(recipe.variant, len(skeleton), training.dropout, training.attention_dropout)
    initialise(model, training.initialisation, pretrained_backbone=training.backbone_weights is not None)
    if training.initial_weights is not None:
        path = Path(training.initial_weights)
        renew_final_layer(model)
        new_tensors = load_to_fine_tune(model, path)
        return model, _Start(f"fine-tuned from {_described(path)}", new_tensors)
    if training.backbone_weights is not None:
        path = Path(training.backbone_weights)
        load_backbone(model, path)
        return model, _Start(f"backbone {_described(path)}")
    return model, _Start("from scratch")


def _described(weights: Path) -> str:
    metadata = read_metadata(weights) if weights.suffix == ".safetensors" else {}
    # Trainings name all their files alike, and what they hold.
    trained = f"{metadata['variant']}, seed {metadata['seed']}" if {"variant", "seed"} <= metadata.keys() else None
    return metadata.get("description") or trained or weights.name


def _samples(recipe: Recipe, seed: int, data: TrainingData) -> TrainingSamples:
    return TrainingSamples(
        load_annotations(data.train, data.skeleton),
        pictures_beside(data.train),
        data.skeleton,
        recipe.variant.input_size,
        recipe.variant.heatmap_size,
        recipe.training.augmentation,
        seed,
        disk_bytes=int(recipe.training.picture_cache_gb * 1e9),
    )


def _identity(
    recipe: Recipe, seed: int, data: TrainingData, protocol: Protocol, digests: dict[str, str]
) -> dict[str, Any]:
    """All that decides the weights."""
    return {
        "recipe": recipe.deciding_values(),
        "seed": seed,
        "files": digests,
        "skeleton": data.skeleton.model_dump(mode="json"),
        # They choose the best epoch. Validations run as the training does, whatever predictions are made in later.
        "evaluation": data.evaluation,
        "protocol": protocol.model_dump(mode="json", exclude={"batch_size", "threads", "precision", "compile"}),
    }


def _tidy(folder: Path, store: CheckpointStore, identity: dict[str, Any]) -> None:
    """What killed or other trainings left in a folder that this process has locked."""
    remove_leftovers(folder)
    settle_checkpoints(store, identity, logging.getLogger(__name__).warning)


def _note_code(progress: Progress, epochs: int) -> None:
    """Add this code to what trained, if anything is left to train; a row is marked unless this one did it all."""
    code = code_fingerprint(*TRAINING_CODE)
    if progress.epoch < epochs and code not in progress.code:
        progress.code.append(code)


def _write_outputs(model: TransPose, progress: Progress, record: dict[str, Any], folder: Path) -> None:
    metadata = {"variant": record["variant"], "seed": str(record["seed"]), "initialisation": record["initialisation"]}
    names = ("last.safetensors", "weights.safetensors", "history.jsonl", "run.json")
    with atomic_paths(*(folder / name for name in names)) as (last, weights, history, run):
        save_weights(model, last, metadata | {"epoch": str(record["epochs"] - 1)})
        model.load_state_dict(progress.best_weights)
        save_weights(model, weights, metadata | {"epoch": str(progress.best_epoch)})
        write_text(history, "".join(json.dumps(line) + "\n" for line in progress.history))
        write_json(run, record)
    (folder / DIVERGED).unlink(missing_ok=True)


def _write_diverged(error: DivergedError, data: TrainingData, digests: dict[str, str], folder: Path) -> None:
    batch = {"epoch": error.epoch, "step": error.step, "annotation_ids": error.annotation_ids}
    train = {"annotations": str(data.train), "sha256": digests["train"]}
    write_json(folder / DIVERGED, {"problem": f"{error.what} not finite", **batch, "train": train})
