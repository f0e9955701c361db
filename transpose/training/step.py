"""One step of training: the loss of a batch, and the optimiser that lowers it."""

import torch
from torch import Tensor, nn

from transpose.compute import Compute
from transpose.config.training import Training
from transpose.data.crops import normalise
from transpose.data.heatmaps import gaussian_heatmaps
from transpose.data.loader import TrainingBatch
from transpose.skeleton import Skeleton
from transpose.training.loss import heatmap_loss
from transpose.training.parameters import parameter_groups


def batch_loss(
    model: nn.Module,
    batch: TrainingBatch,
    heatmap_size: tuple[int, int],
    skeleton: Skeleton,
    training: Training,
    compute: Compute,
) -> Tensor:
    """Loss of a batch of at least one person; pixels are normalised and targets made on the device.

    Args:
        model: on the device, in training mode.
        heatmap_size: (height, width).

    Returns:
        Scalar, with a graph.
    """
    images = normalise(compute.send(batch.crops))
    targets, weights = gaussian_heatmaps(
        compute.send(batch.joints), compute.send(batch.visible), heatmap_size, training.sigma
    )
    if training.joint_weights:
        weights = weights * torch.as_tensor(skeleton.loss_weights, device=compute.device)
    with compute.autocast():
        heatmaps = model(images)
    return heatmap_loss(heatmaps.float(), targets, weights)


def optimiser_of(model: nn.Module, training: Training, compute: Compute) -> torch.optim.Adam:
    """Adam for a model on its device, in one kernel where there is one."""
    fused = compute.device.type in ("cpu", "cuda")
    return torch.optim.Adam(parameter_groups(model, training.pretrained_rate_factor), fused=fused)
