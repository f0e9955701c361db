"""The networks of exported files: uint8 crops in, heatmaps or keypoints out."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from transpose.config.exported import ExportReturns
from transpose.config.variant import Variant
from transpose.data.normalise import normalise_rows, row_statistics
from transpose.export.decode import HeatmapDecoder
from transpose.models.optimize import fold_batch_norms
from transpose.models.variants import build_model
from transpose.models.weights import load_weights
from transpose.pose_model import PoseModel


@dataclass(frozen=True)
class OtherSize:
    """An input size other than that of the training."""

    input_size: tuple[int, int]
    """(height, width) in pixels."""
    recomputes_position: bool
    """Whether the position embedding is that of the new grid, instead of the resampled one."""


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


class CropsToKeypoints(nn.Module):
    """The evaluation protocol around a pose network: flip test and decoding."""

    mirrored_keypoints: Tensor
    heatmap_origin: Tensor
    crop_origin: Tensor

    def __init__(self, heatmaps: CropsToHeatmaps, model: PoseModel, variant: Variant) -> None:
        """Take the network of a model; `variant` has its input size."""
        super().__init__()
        self.heatmaps = heatmaps
        self.flip_test = model.protocol.flip_test
        self.decoder = HeatmapDecoder(variant.heatmap_size, model.protocol)
        self.register_buffer("mirrored_keypoints", torch.from_numpy(model.skeleton.flip_permutation))
        sizes = {"heatmap_origin": variant.heatmap_size, "crop_origin": variant.input_size}
        for name, (height, width) in sizes.items():
            self.register_buffer(name, torch.tensor([(width - 1) / 2, (height - 1) / 2]))
        self.crop_pixels = (variant.input_size[1] - 1) / (variant.heatmap_size[1] - 1)

    def forward(self, crops: Tensor) -> Tensor:
        """Crops [B, H, W, 3] uint8 RGB -> keypoints [B, K, 3] float32: x, y in crop pixels, and score."""
        points, scores = self.decoder(self._heatmaps(crops))
        in_crop = self.crop_origin + (points - self.heatmap_origin) * self.crop_pixels  # as `rescale_points`
        return torch.cat((in_crop, scores[..., None]), dim=-1)

    def _heatmaps(self, crops: Tensor) -> Tensor:
        if not self.flip_test:
            return self.heatmaps(crops)
        # One pass over both, so that the file contains the network once.
        plain, mirrored = self.heatmaps(torch.cat((crops, crops.flip(2)))).unflatten(0, (2, -1)).unbind(0)
        return 0.5 * (plain + mirrored.index_select(1, self.mirrored_keypoints).flip(-1))


def network_of(model: PoseModel, returns: ExportReturns, other: OtherSize | None = None) -> nn.Module:
    """Build the network of a model in fp32 on the CPU, with folded batch norms, from the weights' file.

    `model.network` may be on a GPU, in another dtype or compiled.

    Raises:
        InputError: the weights no longer exist.
    """
    network, variant = build_model(model.variant, len(model.skeleton)), variant_at(model, other)
    load_weights(network, model.weights)
    if other is not None and other.recomputes_position:
        network.recompute_position(network.grid_size(other.input_size))
    heatmaps = CropsToHeatmaps(fold_batch_norms(network), variant.input_size[1])
    return (heatmaps if returns == "heatmaps" else CropsToKeypoints(heatmaps, model, variant)).eval()


def variant_at(model: PoseModel, other: OtherSize | None) -> Variant:
    """Return the variant of a model with the input size of its export."""
    return model.variant if other is None else model.variant.model_copy(update={"input_size": other.input_size})
