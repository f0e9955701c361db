import pytest
import torch
from torch import Tensor, nn

from tests.helpers.small_variants import small_model
from transpose.config.training import Training
from transpose.device import DeviceContext
from transpose.training.optimiser import (
    build_optimizer,
    load_optimizer_state,
    parameter_groups,
    set_learning_rate,
    update_unless,
)

LAST_LAYER = ("final_layer.bias", "final_layer.weight", "pos_embedding")
CPU = DeviceContext(torch.device("cpu"), "fp32", 1)


def test_one_rate_is_one_group_in_the_model_s_order():
    model = small_model("resnet")
    (group,) = parameter_groups(model, 1.0, LAST_LAYER)
    assert group["rate_factor"] == 1.0
    assert [id(p) for p in group["params"]] == [id(p) for p in model.parameters()]


def test_all_but_a_new_last_layer_gets_the_factor():
    model = small_model("hrnet")
    for wrapped in (model, nn.ModuleDict({"module": model})):
        pretrained, new = parameter_groups(wrapped, 0.1, LAST_LAYER)
        assert (pretrained["rate_factor"], new["rate_factor"]) == (0.1, 1.0)
        assert [id(p) for p in new["params"]] == [id(p) for p in model.final_layer.parameters()]
        assert len(pretrained["params"]) + 2 == len(list(model.parameters()))


def test_a_last_layer_that_was_loaded_gets_the_factor_too():
    model = small_model("resnet")
    pretrained, new = parameter_groups(model, 0.1, ("pos_embedding",))
    assert [id(p) for p in pretrained["params"]] == [id(p) for p in model.parameters()]
    assert new["params"] == []


def updated(optimiser: torch.optim.Adam, layer: nn.Linear, steps: int) -> Tensor:
    for number in range(steps):
        layer.weight.grad = torch.full_like(layer.weight, 1.0 + number)
        set_learning_rate(optimiser, 0.1)
        update_unless(torch.zeros(()), optimiser)
    return layer.weight.detach().clone()


def test_a_checkpoint_of_a_gpu_continues_on_a_cpu() -> None:
    models = [nn.Linear(3, 1, bias=False) for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    first, second = (build_optimizer(model, Training(), CPU) for model in models)
    assert torch.equal(updated(first, models[0], 2), updated(second, models[1], 2))
    state = first.state_dict()
    # As on a GPU, where the rate is a tensor that graphs read.
    state["param_groups"] = [group | {"lr": torch.tensor(7.0), "capturable": True} for group in state["param_groups"]]
    resumed = build_optimizer(models[0], Training(), CPU)
    load_optimizer_state(resumed, state)
    assert torch.equal(updated(resumed, models[0], 2), updated(second, models[1], 2))


@pytest.mark.parametrize("fused", [True, False])
def test_a_stopped_update_leaves_weights_and_steps(fused: bool) -> None:
    weight = nn.Parameter(torch.ones(3))
    optimiser = torch.optim.Adam([weight], lr=0.1, fused=fused)
    weight.grad = torch.full_like(weight, torch.nan)
    update_unless(torch.ones(()), optimiser)
    assert torch.equal(weight, torch.ones(3))
    weight.grad = torch.ones(3)
    update_unless(torch.zeros(()), optimiser)
    assert weight.max() < 0.95
    assert optimiser.state[weight]["step"] == 1


def test_a_rate_in_the_device_s_memory_is_changed_in_place() -> None:
    rates = [torch.zeros(()), torch.zeros(())]
    weights = [nn.Parameter(torch.ones(1)) for _ in rates]
    groups = [
        {"params": [weight], "lr": rate, "rate_factor": factor}
        for weight, rate, factor in zip(weights, rates, (1.0, 0.1), strict=True)
    ]
    optimiser = torch.optim.Adam(groups, fused=True)
    set_learning_rate(optimiser, 0.5)
    assert [rate.item() for rate in rates] == pytest.approx([0.5, 0.05])
    assert optimiser.param_groups[0]["lr"] is rates[0]
