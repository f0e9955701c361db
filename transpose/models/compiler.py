"""Compilation of a network by TorchInductor."""

import os
from collections.abc import Callable

import torch
from torch import Tensor, nn

from transpose.files import user_cache


def compiled_forward(model: nn.Module, frozen: bool = False) -> Callable[..., Tensor]:
    """Return the model's forward pass, compiled at its first call for the shapes that it is given.

    Args:
        frozen: the weights will not change, and are converted to the kernels' layout only once.
    """
    # PyTorch's default folder is lost on a restart.
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(user_cache() / "torchinductor"))
    return torch.compile(model.forward, dynamic=False, options={"freezing": frozen})
