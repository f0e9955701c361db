"""Heatmaps that are not finite are seen, and the cause is named."""

import pytest
import torch

from transpose.inference.finite import check_finite, finite_on_cpu


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_one_number_that_is_not_finite_is_seen(value: float):
    heatmaps = torch.zeros(2, 3, 4, 4)
    check_finite(heatmaps)
    check_finite(heatmaps[:0])
    heatmaps[1, 2, 0, 3] = value
    with pytest.raises(FloatingPointError, match="not finite"):
        check_finite(heatmaps)


def test_what_fp16_cannot_hold_is_told_of_fp16():
    with pytest.raises(FloatingPointError, match="not finite; fp16 ends at 65,504: take bf16 or fp32"):
        finite_on_cpu(torch.full((1, 1, 2, 2), 1e5).half())
