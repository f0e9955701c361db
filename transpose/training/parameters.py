"""Parameter groups of the optimiser."""

from typing import Any

from torch import nn


def parameter_groups(model: nn.Module, pretrained_rate_factor: float) -> list[dict[str, Any]]:
    """Return parameter groups, each with a factor `rate_factor` on the schedule's learning rate.

    With a factor of 1, all parameters are one group. Otherwise the new last layer keeps the schedule's rate, and the
    pretrained parameters have the factor (paper, transfer to MPII: 1e-4 and 1e-5).
    """
    if pretrained_rate_factor == 1:
        return [{"params": list(model.parameters()), "rate_factor": 1.0}]
    new, pretrained = [], []
    for name, parameter in model.named_parameters():
        # A wrapper may prepend its own name.
        (new if "final_layer" in name.split(".") else pretrained).append(parameter)
    return [
        {"params": pretrained, "rate_factor": pretrained_rate_factor},
        {"params": new, "rate_factor": 1.0},
    ]
