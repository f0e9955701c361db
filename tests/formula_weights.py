"""Weights by formula, which golden numbers were computed with; see tests/reference/README.md."""

import zlib
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from transpose.models.transpose import TransPose
from transpose.models.weights import load_official, official_state_dict


def fill_by_formula(model: TransPose, variant: str) -> TransPose:
    """Replace every entry of the model but its position embedding and its batch counters."""
    load_official(model, formula_state(official_state_dict(model), variant), "formula")
    return model


def formula_state(state: Mapping[str, Tensor], variant: str) -> dict[str, Tensor]:
    """The formula's values for the keys and shapes of `state`, as float64 where it is computed."""
    return {key: _value(key, tensor, variant) for key, tensor in state.items()}


def _value(key: str, tensor: Tensor, variant: str) -> Tensor:
    if key == "pos_embedding" or key.endswith("num_batches_tracked"):
        return tensor
    rng = np.random.default_rng(zlib.crc32(key.encode()))
    shape = tuple(tensor.shape)
    if key.endswith("running_var"):
        value = rng.uniform(0.5, 1.5, shape)
    elif key.endswith("running_mean"):
        value = 0.1 * rng.standard_normal(shape)
    elif len(shape) > 1:
        value = rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
    elif key.endswith("bias"):
        value = 0.1 * rng.standard_normal(shape)
    else:
        value = rng.uniform(0.5, 1.5, shape)
    if key == "reduce.weight" and variant.startswith("tp_h"):
        value *= 0.01  # keeps the attention well conditioned
    return torch.from_numpy(value)
