"""Import a released checkpoint as a run, to evaluate it like a trained model."""

from pathlib import Path

import torch

from transpose.config.code_version import CodeVersion
from transpose.config.dataset import EvaluationMethod
from transpose.config.recipe import Recipe
from transpose.config.run_record import ReleasedCheckpoint, RunRecord, WeightsWritten
from transpose.config.study import EvalProtocol
from transpose.cost import count_parameters
from transpose.device import describe_machine
from transpose.files import atomic_paths, sha256_of_file, write_json
from transpose.models.variants import build_model
from transpose.models.weights import load_weights, read_metadata, save_weights
from transpose.provenance import git_state, training_code
from transpose.skeleton import Skeleton
from transpose.study.layout import RunFolder


def import_checkpoint(
    recipe: Recipe,
    weights: Path,
    skeleton: Skeleton,
    evaluation: EvaluationMethod,
    protocol: EvalProtocol,
    folder: Path,
) -> None:
    """Write `weights.safetensors` and `run.json` of a variant from a released checkpoint.

    Args:
        weights: file written by `models.released.download_released`, or of another trainer.
        skeleton: keypoints that the checkpoint predicts.
        protocol: evaluation protocol of the study.

    Raises:
        InputError: names or shapes of the checkpoint's tensors do not match the variant.
    """
    model = build_model(recipe.variant, len(skeleton))
    load_weights(model, weights)
    metadata = read_metadata(weights)
    parameters = count_parameters(model, recipe.variant)
    initialisation = f"{metadata.get('description', weights.name)}, not trained here"
    record = RunRecord(
        recipe=recipe,
        seed=0,
        skeleton=skeleton,
        evaluation=evaluation,
        protocol=protocol,
        initialisation=initialisation,
        parameters=parameters.total,
        trainable_parameters=parameters.trainable,
        training=None,
        session=None,
        released=ReleasedCheckpoint(sha256=metadata.get("sha256"), converted_sha256=sha256_of_file(weights)),
        code=CodeVersion.model_validate(git_state() | {"fingerprint": training_code()}),
        environment=describe_machine(torch.device("cpu")),
    )
    files = RunFolder(folder)
    with atomic_paths(files.weights, files.record) as (weights_file, run):
        described = {"variant": recipe.name, "seed": "0", "initialisation": initialisation}
        save_weights(model, weights_file, described, skeleton.keypoints)
        digests = WeightsWritten(best_sha256=sha256_of_file(weights_file), last_sha256=None)
        write_json(run, record.model_copy(update={"weights": digests}).model_dump(mode="json"))
