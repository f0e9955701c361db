"""One training step: loss and gradients of a batch; and the optimiser."""

from collections.abc import Callable, Collection, Iterable
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from transpose.codec.encode import gaussian_heatmaps
from transpose.config.training import Training
from transpose.data.loader import TrainingBatch
from transpose.data.normalise import normalise
from transpose.device import DeviceContext
from transpose.skeleton import Skeleton
from transpose.training.loss import heatmap_loss
from transpose.training.replay import FIRST_STEPS, CudaGraphs, CudaGraphStep

GradientStep = Callable[[TrainingBatch], Tensor]
"""Returns the loss of a batch, a scalar without autograd graph, and replaces the model's gradients."""


def gradient_step(
    model: nn.Module, heatmap_size: tuple[int, int], skeleton: Skeleton, training: Training, context: DeviceContext
) -> GradientStep:
    """Return the fastest step for the device.

    Args:
        model: on the device, in training mode whenever the step is called.
        heatmap_size: (height, width).
    """
    step = eager_step(model, heatmap_size, skeleton, training, context)
    # Synchronised BatchNorm communicates within the step, which a graph would have to capture.
    if context.device.type != "cuda" or training.sync_batch_norm:
        return step
    return CudaGraphStep(step, model.parameters(), context.device, CudaGraphs())


def eager_step(
    model: nn.Module, heatmap_size: tuple[int, int], skeleton: Skeleton, training: Training, context: DeviceContext
) -> GradientStep:
    """Return an eager step; arguments as for `gradient_step`."""

    def step(batch: TrainingBatch) -> Tensor:
        model.zero_grad(set_to_none=True)
        loss = batch_loss(model, batch, heatmap_size, skeleton, training, context)
        loss.backward()
        return loss.detach()

    return step


def mean_gradients(
    step: GradientStep, batches: Iterable[TrainingBatch], parameters: Iterable[nn.Parameter]
) -> tuple[np.ndarray, float]:
    """Run a step for each batch, and leave the gradients of the mean loss over all persons in the parameters.

    Without persons, no parameter has a gradient.

    Args:
        batches: any of them may be empty.
        parameters: all parameters that the step computes gradients of.

    Returns:
        Person indices [B] of all batches, and their mean loss.
    """
    trained = list(parameters)
    index, mean = np.empty(0, dtype=np.int64), 0.0
    for batch in batches:
        if not len(batch.index):
            continue
        # Copies, because a replayed step overwrites its gradients.
        earlier = [(one, one.grad.clone()) for one in trained if one.grad is not None] if len(index) else []
        loss = step(batch).item()
        index = np.concatenate((index, batch.index))
        share = len(batch.index) / len(index)
        for parameter, gradient in earlier:
            assert parameter.grad is not None
            parameter.grad = gradient.lerp(parameter.grad, share)
        mean += (loss - mean) * share
    if not len(index):
        for parameter in trained:
            parameter.grad = None
    return index, mean


def steps_until_replayed(context: DeviceContext) -> int:
    """Number of steps of one batch size after which all further steps take the same time."""
    return FIRST_STEPS + 1 if context.device.type == "cuda" else 0


def batch_loss(
    model: nn.Module,
    batch: TrainingBatch,
    heatmap_size: tuple[int, int],
    skeleton: Skeleton,
    training: Training,
    context: DeviceContext,
) -> Tensor:
    """Compute the loss of a batch of at least one person; normalisation and targets run on the device.

    Args:
        model: on the device, in training mode.
        heatmap_size: (height, width).

    Returns:
        Scalar, with autograd graph.
    """
    images = normalise(context.send(batch.crops))
    targets, weights = gaussian_heatmaps(
        context.send(batch.keypoints), context.send(batch.visible), heatmap_size, training.sigma
    )
    if training.joint_weights:
        weights = weights * _keypoint_weights(tuple(skeleton.loss_weights), context.device)
    with context.autocast():
        heatmaps = model(images)
    return heatmap_loss(heatmaps.float(), targets, weights)


def build_optimizer(
    model: nn.Module, training: Training, context: DeviceContext, new_tensors: Collection[str] = ()
) -> torch.optim.Adam:
    """Return Adam for a model on its device, fused where supported; `new_tensors` as for `parameter_groups`."""
    fused = context.device.type in ("cpu", "cuda")
    return torch.optim.Adam(parameter_groups(model, training.pretrained_rate_factor, new_tensors), fused=fused)


def parameter_groups(
    model: nn.Module, pretrained_rate_factor: float, new_tensors: Collection[str]
) -> list[dict[str, Any]]:
    """Return parameter groups, each with a factor `rate_factor` on the schedule's learning rate.

    With a factor of 1, all parameters are one group. Otherwise a new last layer keeps the schedule's rate, and the
    pretrained parameters have the factor (paper, transfer to MPII: 1e-4 and 1e-5).

    Args:
        new_tensors: names of tensors that are not pretrained.
    """
    if pretrained_rate_factor == 1:
        return [{"params": list(model.parameters()), "rate_factor": 1.0}]
    new, pretrained = [], []
    for name, parameter in model.named_parameters():
        # A wrapper may prepend its own name.
        (new if any(name.endswith(one) for one in new_tensors) else pretrained).append(parameter)
    return [
        {"params": pretrained, "rate_factor": pretrained_rate_factor},
        {"params": new, "rate_factor": 1.0},
    ]


@cache
def _keypoint_weights(weights: tuple[float, ...], device: torch.device) -> Tensor:
    """[K] float32, cached, since sending it again would make the CPU wait for the GPU."""
    return torch.tensor(weights, dtype=torch.float32, device=device)
