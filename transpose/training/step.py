"""One step of training: the loss of a batch and its gradients, and the optimiser that lowers it."""

from collections.abc import Callable
from functools import cache

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
from transpose.training.replay import FIRST_STEPS, CudaGraphs, ReplayedSteps

GradientStep = Callable[[TrainingBatch], Tensor]
"""Gives the loss of a batch, a scalar without a graph, and replaces the model's gradients by those of the loss."""


def gradient_step(
    model: nn.Module, heatmap_size: tuple[int, int], skeleton: Skeleton, training: Training, compute: Compute
) -> GradientStep:
    """A step in the fastest way that the device has.

    Args:
        model: on the device, in training mode whenever the step is taken.
        heatmap_size: (height, width).
    """
    step = written_step(model, heatmap_size, skeleton, training, compute)
    if compute.device.type != "cuda":
        return step
    return ReplayedSteps(step, model.parameters(), compute.device, CudaGraphs())


def written_step(
    model: nn.Module, heatmap_size: tuple[int, int], skeleton: Skeleton, training: Training, compute: Compute
) -> GradientStep:
    """A step as it is written; the arguments are those of `gradient_step`."""

    def step(batch: TrainingBatch) -> Tensor:
        model.zero_grad(set_to_none=True)
        loss = batch_loss(model, batch, heatmap_size, skeleton, training, compute)
        loss.backward()
        return loss.detach()

    return step


def steps_until_replayed(compute: Compute) -> int:
    """After so many steps with batches of one size all others take the same time."""
    return FIRST_STEPS + 1 if compute.device.type == "cuda" else 0


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
        weights = weights * _joint_weights(tuple(skeleton.loss_weights), compute.device)
    with compute.autocast():
        heatmaps = model(images)
    return heatmap_loss(heatmaps.float(), targets, weights)


def optimiser_of(model: nn.Module, training: Training, compute: Compute) -> torch.optim.Adam:
    """Adam for a model on its device, in one kernel where there is one."""
    fused = compute.device.type in ("cpu", "cuda")
    return torch.optim.Adam(parameter_groups(model, training.pretrained_rate_factor), fused=fused)


@cache
def _joint_weights(weights: tuple[float, ...], device: torch.device) -> Tensor:
    """[K] float32, kept, since sending it anew makes the host wait for a GPU."""
    return torch.tensor(weights, dtype=torch.float32, device=device)
