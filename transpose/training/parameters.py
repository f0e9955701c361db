"""Which parameters learn how fast."""

from typing import Any

from torch import nn


def parameter_groups(model: nn.Module, pretrained_rate_factor: float) -> list[dict[str, Any]]:
    """Groups for an optimiser, each with its factor on the schedule's learning rate, `rate_factor`.

    With a factor of 1 all parameters are one group; else those of the new last layer keep the schedule's rate, and all
    that fine-tuning found in its file has the factor (paper, transfer to MPII: 1e-4 and 1e-5).
    """
    if pretrained_rate_factor == 1:
        return [{"params": list(model.parameters()), "rate_factor": 1.0}]
    new, pretrained = [], []
    for name, parameter in model.named_parameters():
        # A wrapper may put its own name in front.
        (new if "final_layer" in name.split(".") else pretrained).append(parameter)
    return [
        {"params": pretrained, "rate_factor": pretrained_rate_factor},
        {"params": new, "rate_factor": 1.0},
    ]
