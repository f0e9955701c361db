"""Pose models around networks in hand."""

from pathlib import Path
from typing import Any

import torch

from tests.helpers.run_records import SMALL
from transpose.config.recipe import Recipe
from transpose.config.study import EvalProtocol
from transpose.device import DeviceContext
from transpose.inference.runtime import torch_runtime
from transpose.pose_model import PoseModel
from transpose.skeleton import COCO_PERSON, Skeleton

CPU = DeviceContext(torch.device("cpu"), "fp32", 1)


def pose_model(
    network: Any,
    protocol: EvalProtocol,
    recipe: Recipe = SMALL,
    skeleton: Skeleton = COCO_PERSON,
    context: DeviceContext = CPU,
    weights: Path = Path("run/weights"),
) -> PoseModel:
    """A pose model whose network is anything from images [B, 3, H, W] to heatmaps; crops load in this process."""
    runtime = torch_runtime(context, attends=recipe.variant.encoder is not None)
    return PoseModel(network, recipe.with_loader_settings(workers=0), skeleton, protocol, context, weights, runtime)
