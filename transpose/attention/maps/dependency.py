"""Dependency and affected areas: rows and columns of an encoder layer's attention (paper, section "Attention maps").

A layer's attention `A` [L, L] over the L = h * w cells of the feature map has rows that sum to 1. For the cell of a
predicted keypoint, row `A[cell, :]` is its *dependency area*: the cells that it attends to. Column `A[:, cell]` is its
*affected area*: the cells that attend to it.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from transpose.attention.maps.capture import capture
from transpose.attention.maps.grid import Grid
from transpose.config.variant import Encoder, Variant
from transpose.errors import InputError
from transpose.models.encoder import TransformerEncoder
from transpose.models.transpose import TransPose

ImagePass = Literal["unflipped", "mirrored"]
"""The two passes of the flip test; their attention differs."""


@dataclass(frozen=True)
class AttentionAreas:
    """Areas of P persons' K keypoints in all encoder layers of one pass, averaged over heads.

    The keypoints can come from the flip test: mirroring only moves the query.
    """

    image_pass: ImagePass
    """The pass: the original crops, or the mirrored crops with their maps flipped back."""

    dependency: np.ndarray
    """[P, layers, K, L] float32."""
    affected: np.ndarray
    """[P, layers, K, L] float32."""
    queries: np.ndarray
    """[P, K] int64: tokens of the keypoints' cells."""


def encoder_of(variant: Variant) -> Encoder:
    """Return the encoder settings of a variant.

    Raises:
        InputError: the variant has no encoder.
    """
    if variant.encoder is None:
        raise InputError("has no attention to explain", file=variant.title, field="encoder")
    return variant.encoder


def encoder_of_model(model: TransPose) -> TransformerEncoder:
    """Return the encoder of a model.

    Raises:
        ValueError: the model has no encoder.
    """
    if model.global_encoder is None:
        raise ValueError("a model without encoder has no attention")
    return model.global_encoder


@torch.inference_mode()
def explain_persons(
    model: TransPose,
    variant: Variant,
    images: Tensor,
    keypoints_xy: np.ndarray,
    batch_size: int = 16,
    mirrored: bool = False,
) -> AttentionAreas:
    """Compute dependency and affected areas of predicted keypoints in all encoder layers.

    The mirrored pass uses the mirrored crops and the mirrored cells. Its maps are flipped back, so that both passes'
    areas are on the same crop and belong to the same keypoints. Left and right names need no swap, because areas are
    indexed by cell; so no skeleton is needed.

    Args:
        model: in evaluation mode.
        images: [P, 3, H, W] normalised, unflipped person crops on the model's device.
        keypoints_xy: [P, K, 2] predicted keypoints in pixels of the unflipped crops.
        batch_size: persons at a time.
        mirrored: use the flip test's second pass instead of its first.

    Raises:
        InputError: the variant has no encoder.
    """
    encoder, grid = encoder_of(variant), Grid.of(variant)
    tokens = torch.as_tensor(grid.tokens_at(keypoints_xy), device=images.device)
    dependency: list[Tensor] = []
    affected: list[Tensor] = []
    turned = grid.mirrored_tokens().to(images.device)
    for batch, cells in zip(images.split(batch_size), tokens.split(batch_size), strict=True):
        _, layers = capture(model, model.features(batch.flip(-1) if mirrored else batch))
        queries = turned[cells] if mirrored else cells
        rows = torch.stack([layer.rows(queries).mean(dim=1) for layer in layers], dim=1)
        columns = torch.stack([layer.columns(queries).mean(dim=1) for layer in layers], dim=1)
        dependency.append(rows[..., turned] if mirrored else rows)
        affected.append(columns[..., turned] if mirrored else columns)
    shape = (len(images), encoder.layers, tokens.shape[1], grid.tokens)
    image_pass = "mirrored" if mirrored else "unflipped"
    return AttentionAreas(image_pass, _joined(dependency, shape), _joined(affected, shape), tokens.cpu().numpy())


def _joined(batches: list[Tensor], shape: tuple[int, ...]) -> np.ndarray:
    if not batches:
        return np.zeros(shape, dtype=np.float32)
    return torch.cat(batches).float().cpu().numpy()
