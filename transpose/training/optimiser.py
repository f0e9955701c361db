"""Adam, its learning rates, and updates that do not wait for the device."""

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from transpose.config.training import Training
from transpose.device import DeviceContext


def build_optimizer(
    model: nn.Module, training: Training, context: DeviceContext, new_tensors: Collection[str] = ()
) -> torch.optim.Adam:
    """Return Adam for a model on its device, fused where supported; `new_tensors` as for `parameter_groups`."""
    on_gpu = context.device.type == "cuda"
    groups = parameter_groups(model, training.pretrained_rate_factor, new_tensors)
    if on_gpu:
        # A captured step reads its rate from the device's memory.
        groups = [group | {"lr": torch.zeros((), device=context.device)} for group in groups]
    return torch.optim.Adam(groups, fused=on_gpu or context.device.type == "cpu", capturable=on_gpu)


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


def set_learning_rate(optimiser: torch.optim.Adam, rate: float) -> None:
    """Set the schedule's rate, times the factor of each parameter group."""
    for group in optimiser.param_groups:
        own = rate * group["rate_factor"]
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(own)
        else:
            group["lr"] = own


def load_optimizer_state(optimiser: torch.optim.Adam, state: Mapping[str, Any]) -> None:
    """Load the moments and steps of a checkpoint, which may be from another type of device."""
    own = [{key: value for key, value in group.items() if key != "params"} for group in optimiser.param_groups]
    # The settings decide on which device a parameter's number of steps is placed.
    groups = [saved | settings for saved, settings in zip(state["param_groups"], own, strict=True)]
    optimiser.load_state_dict({**state, "param_groups": groups})
    # Again, because loading copies them, and a captured step reads the rate of this very tensor.
    for group, settings in zip(optimiser.param_groups, own, strict=True):
        group.update(settings)


def update_unless(stopped: Tensor, optimiser: torch.optim.Adam) -> None:
    """Update the parameters unless `stopped`, a scalar float32 on the device, is 1."""
    if optimiser.defaults["fused"]:
        # The fused kernels read this attribute, by which a GradScaler skips the update after an overflow.
        optimiser.found_inf = stopped  # pyright: ignore[reportAttributeAccessIssue]
        optimiser.step()
    elif not stopped.item():
        optimiser.step()
