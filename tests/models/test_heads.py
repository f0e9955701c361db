"""Upsampling modules."""

import pytest
import torch

from transpose.models.heads import build_upsampling


@pytest.mark.parametrize(("factor", "count"), [(2, 1), (8, 3)])
def test_each_deconvolution_doubles(factor, count):
    module, channels = build_upsampling("deconvolution", 4, 6, factor)
    assert channels == 6
    assert module(torch.zeros(1, 4, 3, 2)).shape == (1, 6, 3 * factor, 2 * factor)
    weights = [name for name, tensor in module.state_dict().items() if tensor.ndim == 4]
    assert weights == [f"{3 * index}.weight" for index in range(count)]


def test_bilinear_keeps_pixel_centres_half_a_pixel_from_the_border():
    module, channels = build_upsampling("bilinear", 1, 6, 2)
    assert channels == 1
    row = module(torch.tensor([[[[0.0, 4.0]]]]))[0, 0, 0]
    torch.testing.assert_close(row, torch.tensor([0.0, 1.0, 3.0, 4.0]))


def test_none_changes_nothing():
    module, channels = build_upsampling("none", 4, 6, 1)
    x = torch.ones(1, 4, 2, 2)
    assert channels == 4
    assert module(x) is x
