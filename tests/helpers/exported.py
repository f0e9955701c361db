"""A small pose model with random weights, and its exported files."""

from pathlib import Path

import torch

from tests.helpers.run_records import SMALL, write_run
from tests.helpers.small_variants import small_variant
from transpose.config.study import EvalProtocol
from transpose.models.initialise import initialise
from transpose.models.variants import build_model
from transpose.models.weights import save_weights
from transpose.pose_model import PoseModel
from transpose.skeleton import COCO_PERSON

PROTOCOL = EvalProtocol(batch_size=2, blur_kernel=3, keypoint_threshold=0.0)


def small_pose_model(folder: Path, family: str = "resnet", protocol: EvalProtocol = PROTOCOL) -> PoseModel:
    """A model whose run folder is `folder`."""
    recipe = SMALL.model_copy(update={"variant": small_variant(family)})
    network = build_model(recipe.variant, len(COCO_PERSON))
    initialise(network, "kaiming", pretrained_backbone=False, generator=torch.Generator().manual_seed(0))
    save_weights(network, folder / "weights.safetensors", {})
    write_run(folder / "run.json", recipe, protocol=protocol)
    return PoseModel.from_run(folder)
