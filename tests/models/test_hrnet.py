"""HRNet: shapes, cuts and the official names of its parts."""

import pytest
import torch

from transpose.models.hrnet import HRNet


def small(modules, width=4, stem_width=4):
    return HRNet(width, stem_width, bottlenecks=1, modules=modules, blocks=1).eval()


@pytest.mark.parametrize("modules", [(1,), (2, 1), (1, 2, 2)])
def test_output_is_the_branch_of_highest_resolution(modules):
    assert small(modules)(torch.zeros(2, 3, 64, 96)).shape == (2, 4, 16, 24)


@pytest.mark.parametrize(("width", "count"), [(32, 7_685_632), (48, 16_705_824)])
def test_small_hrnet_has_the_published_size(width, count):
    assert sum(parameter.numel() for parameter in HRNet(width).parameters()) == count


def test_last_module_makes_only_the_branch_that_leaves():
    backbone = small((1, 2, 2))
    outputs = {
        name: len(list(part.children())) for name, part in backbone.named_modules() if name.endswith("fuse_layers")
    }
    assert outputs == {
        "stage2.0.fuse_layers": 2,
        "stage3.0.fuse_layers": 3,
        "stage3.1.fuse_layers": 3,
        "stage4.0.fuse_layers": 4,
        "stage4.1.fuse_layers": 1,
    }


def test_every_part_reaches_the_output():
    backbone = small((1, 2, 2)).train()
    backbone(torch.randn(2, 3, 64, 64)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in backbone.parameters())


def test_branches_of_equal_width_pass_a_transition_unchanged():
    names = {name.rpartition(".")[0] for name, _ in small((1,), width=16, stem_width=4).named_parameters()}
    assert "transition1.1.0.0" in names
    assert not any(name.startswith("transition1.0") for name in names)


def test_sides_that_do_not_halve_evenly():
    assert small((1, 2))(torch.zeros(1, 3, 36, 20)).shape == (1, 4, 9, 5)
