"""A hand-made model with predictions that depend on known cells, and an image for it.

A green cell looks for red ones and is predicted as keypoint `SEEKER` if it finds any, anywhere in the image; if it
finds none, the blue cell is predicted. Keypoint `SOURCE` is where it is red, keypoint `DECOY` where it is blue.
"""

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tests.helpers.pose_models import pose_model
from tests.helpers.small_variants import small_variant
from transpose.attention.maps.grid import Grid
from transpose.attention.persons import GroundTruth
from transpose.config.recipe import Recipe
from transpose.config.study import EvalProtocol
from transpose.config.training import Training
from transpose.data.normalise import IMAGENET_MEAN, IMAGENET_STD
from transpose.models.encoder import EncoderLayer, TransformerEncoder
from transpose.models.transpose import TransPose
from transpose.pose_model import PoseModel
from transpose.skeleton import Skeleton

SEEKER, SOURCE, DECOY = 0, 1, 2
SKELETON = Skeleton(
    name="planted",
    keypoints=("seeker", "source", "decoy"),
    flip_pairs=(),
    limbs=(("seeker", "source"),),
    sigmas=(0.05, 0.05, 0.05),
    joint_weights=(1.0, 1.0, 1.0),
    upper_body=(),
)
GRID = Grid(size=(8, 6), heatmap_size=(8, 6), input_size=(32, 24))
RECIPE = Recipe(name="planted", variant=small_variant("hrnet"), training=Training())
"""Variant with a grid like `GRID`."""
SEEKER_CELL = 1 * 6 + 1
SOURCE_CELLS = (4 * 6 + 2, 4 * 6 + 3, 5 * 6 + 2, 5 * 6 + 3)
"""One patch of 8 pixels."""
DECOY_CELL = 6 * 6 + 0
_RED, _GREEN, _PAYLOAD, _BLUE, _CONSTANT, _DIM = 0, 1, 2, 3, 4, 8


class Colours(nn.Module):
    """Replaces the backbone: mean red, green and blue of each cell, and a constant that stabilises the norms."""

    stride = 4

    def forward(self, images: Tensor) -> Tensor:
        mean, std = (torch.tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
        red, green, blue = nn.functional.avg_pool2d(images * std + mean, 4).unbind(dim=1)
        zeros, constant = torch.zeros_like(red), torch.full_like(red, 3.0)
        return torch.stack((red, green, zeros, 5 * blue, constant, zeros, zeros, zeros), dim=1)


def planted_model(heads: int = 1) -> TransPose:
    """A model in evaluation mode with one layer; only the first head attends."""
    encoder = TransformerEncoder(1, _DIM, heads, 1, dropout=0.0, attention_dropout=0.0)
    layer = encoder.layers[0]
    assert isinstance(layer, EncoderLayer)
    final_layer = nn.Conv2d(_DIM, len(SKELETON), 1)
    with torch.no_grad():
        for parameter in (*layer.self_attn.parameters(), *layer.linear1.parameters(), *layer.linear2.parameters()):
            parameter.zero_()
        query, key, value = layer.self_attn.in_proj_weight.split(_DIM)
        query[0, _GREEN], key[0, _RED], value[_PAYLOAD, _RED] = 8.0, 8.0, 5.0
        layer.self_attn.out_proj.weight.copy_(torch.eye(_DIM))
        final_layer.weight.zero_()
        final_layer.bias.zero_()  # pyright: ignore[reportOptionalMemberAccess]
        final_layer.weight[SEEKER, _PAYLOAD], final_layer.weight[SEEKER, _BLUE] = 1.0, 0.4
        final_layer.weight[SOURCE, _RED], final_layer.weight[DECOY, _BLUE] = 1.0, 1.0
    backbone: Any = Colours()
    return TransPose(backbone, nn.Identity(), encoder, None, GRID.size, nn.Identity(), final_layer).eval()


def planted_pose_model(protocol: EvalProtocol, network: TransPose | None = None) -> PoseModel:
    """The planted model, or another network, as predictions and measures take it."""
    return pose_model(network or planted_model(), protocol, RECIPE, SKELETON)


def planted_crop() -> np.ndarray:
    """[32, 24, 3] uint8."""
    crop = np.zeros((32, 24, 3), dtype=np.uint8)
    columns, rows = np.meshgrid(np.arange(24), np.arange(32))
    cells = (rows // 4) * 6 + columns // 4
    for channel, coloured in enumerate((SOURCE_CELLS, (SEEKER_CELL,), (DECOY_CELL,))):
        crop[..., channel][np.isin(cells, coloured)] = 255
    return crop


def planted_truth(persons: int = 1) -> GroundTruth:
    """All persons are the same."""
    keypoints = GRID.centres()[[SEEKER_CELL, SOURCE_CELLS[0], DECOY_CELL]]
    return GroundTruth(
        image_ids=np.arange(persons),
        annotation_ids=np.arange(persons) + 10,
        affines=np.tile(np.eye(2, 3), (persons, 1, 1)),
        keypoints_xy=np.tile(keypoints, (persons, 1, 1)),
        visibility=np.full((persons, 3), 2),
        areas=np.full(persons, 400.0),
    )


class PlantedPersons:
    """Replaces `ExplainedPersons`."""

    def __init__(self, persons: int = 1) -> None:
        self.truth = planted_truth(persons)
        self.draw_order = np.arange(persons)

    def __len__(self) -> int:
        return len(self.truth)

    def batches(self, batch_size: int) -> Any:
        """Return all persons in one batch."""
        from transpose.data.normalise import normalise

        crops = torch.from_numpy(np.tile(planted_crop(), (len(self), 1, 1, 1)))
        yield SimpleNamespace(index=np.arange(len(self)), crops=crops, images=lambda device: normalise(crops))
