"""Heatmaps that are not finite are an error."""

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


def test_overflow_in_fp16_is_reported():
    with pytest.raises(FloatingPointError, match="not finite; fp16 overflows above 65,504; use bf16 or fp32"):
        finite_on_cpu(torch.full((1, 1, 2, 2), 1e5).half())
