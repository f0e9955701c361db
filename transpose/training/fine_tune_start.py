"""Starting weights of a fine-tuning: a trained model whose last layer is changed to other keypoints."""

from pathlib import Path

import torch

from transpose.models.initialise import initialise
from transpose.models.variants import build_model
from transpose.models.weights import load_to_fine_tune, official_state_dict, read_checkpoint, save_weights
from transpose.pose_model import PoseModel
from transpose.skeleton import Skeleton


def write_start(model: PoseModel, skeleton: Skeleton, output: Path) -> tuple[str, ...]:
    """Write the weights of a model with a last layer for a skeleton; equal inputs give equal bytes.

    Channels of the last layer are taken over by keypoint name. New channels begin as those that have no counterpart
    begin in a training: N(0, 0.001), bias 0.

    Returns:
        The keypoints that the model did not have.

    Raises:
        InputError: the model's weights cannot be read.
    """
    network = build_model(model.variant, len(skeleton))
    generator = torch.Generator().manual_seed(0)
    initialise(network, "official", pretrained_backbone=False, generator=generator)
    load_to_fine_tune(network, model.weights)
    old, new = read_checkpoint(model.weights), official_state_dict(network)
    common = [name for name in skeleton.keypoints if name in model.skeleton.keypoints]
    to, taken = [skeleton.index(name) for name in common], [model.skeleton.index(name) for name in common]
    with torch.no_grad():
        for key in ("final_layer.weight", "final_layer.bias"):
            new[key][to] = old[key][taken]
    save_weights(network, output, {"description": model.recipe.name}, skeleton.keypoints)
    return tuple(name for name in skeleton.keypoints if name not in common)
