"""A released checkpoint in the place of a training: evaluated like one, and said to be none."""

from pathlib import Path

import torch

from transpose.compute import describe_machine
from transpose.config.recipe import Recipe
from transpose.cost import count_parameters
from transpose.files import sha256_of_file, write_json
from transpose.models.variants import build_model
from transpose.models.weights import load_weights, read_metadata, save_weights
from transpose.provenance import TRAINING_CODE, code_fingerprint, git_state


def adopt_released(recipe: Recipe, weights: Path, keypoints: int, folder: Path) -> None:
    """Write `weights.safetensors` and `run.json` of a variant from the checkpoint that its authors released.

    Args:
        weights: safetensors of `models.released.fetch_released`.

    Raises:
        InputError: the checkpoint does not fit the variant, each tensor by name and shape.
    """
    model = build_model(recipe.variant, keypoints)
    load_weights(model, weights)
    metadata = read_metadata(weights)
    parameters = count_parameters(model, recipe.variant)
    initialisation = f"{metadata.get('description', weights.name)}, not trained here"
    save_weights(
        model,
        folder / "weights.safetensors",
        {"variant": recipe.name, "seed": "0", "initialisation": initialisation},
    )
    record = {
        "variant": recipe.name,
        "title": recipe.variant.title,
        "seed": 0,
        "source": "official",
        "recipe": recipe.deciding_values(),
        "initialisation": initialisation,
        "released_sha256": metadata.get("sha256"),
        "converted_sha256": sha256_of_file(weights),
        "parameters": parameters.total,
        "trainable_parameters": parameters.trainable,
        "code": {**git_state(), "fingerprint": code_fingerprint(*TRAINING_CODE)},
        "environment": describe_machine(torch.device("cpu")),
    }
    write_json(folder / "run.json", record)
