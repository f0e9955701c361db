"""The network of an exported file: uint8 crops in, heatmaps out."""

import torch
from torch import Tensor, nn

from transpose.data.normalise import normalise_rows, row_statistics
from transpose.models.optimize import fold_batch_norms
from transpose.models.variants import build_model
from transpose.models.weights import load_weights
from transpose.pose_model import PoseModel


class CropsToHeatmaps(nn.Module):
    """A pose network with the normalisation of its crops."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, width: int) -> None:
        """Take a network in evaluation mode on the CPU; `width` is that of its crops."""
        super().__init__()
        self.network = network
        mean, std = row_statistics(width, torch.device("cpu"))
        self.register_buffer("mean", mean.clone())
        self.register_buffer("std", std.clone())

    def forward(self, crops: Tensor) -> Tensor:
        """Crops [B, H, W, 3] uint8 RGB -> heatmaps [B, K, h, w] float32."""
        return self.network(normalise_rows(crops, self.mean, self.std))


def network_of(model: PoseModel) -> CropsToHeatmaps:
    """Build the network of a model in fp32 on the CPU, with folded batch norms, from the weights' file.

    `model.network` may be on a GPU, in another dtype or compiled.

    Raises:
        InputError: the weights no longer exist.
    """
    network = build_model(model.variant, len(model.skeleton))
    load_weights(network, model.weights)
    return CropsToHeatmaps(fold_batch_norms(network), model.variant.input_size[1]).eval()
