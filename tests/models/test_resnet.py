"""ResNet: shapes, strides and the official names of its parts."""

import pytest
import torch

from transpose.models.resnet import ResNet


@pytest.mark.parametrize(("block", "channels"), [("basic", 32), ("bottleneck", 128)])
def test_output_shape(block, channels):
    backbone = ResNet(block, (1, 2, 1), width=8)
    assert (backbone.out_channels, backbone.stride) == (channels, 16)
    assert backbone(torch.zeros(2, 3, 64, 48)).shape == (2, channels, 4, 3)


def test_four_stages_are_resnet50_without_its_classifier():
    backbone = ResNet("bottleneck", (3, 4, 6, 3))
    classifier = 2048 * 1000 + 1000
    assert sum(parameter.numel() for parameter in backbone.parameters()) == 25_557_032 - classifier


def test_small_resnet_has_the_published_size():
    backbone = ResNet("bottleneck", (3, 4))
    assert sum(parameter.numel() for parameter in backbone.parameters()) == 1_444_928


def test_only_blocks_that_change_the_shape_have_a_projection():
    names = {name for name, _ in ResNet("basic", (2, 2), width=8).named_parameters() if "downsample" in name}
    assert {name.split(".downsample")[0] for name in names} == {"layer2.0"}
