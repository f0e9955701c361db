"""Attention in one byte a value."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transpose.attention.maps.quantise import LogScale, pack, unpack

SCALES = [LogScale(0.25, 4), LogScale(1.0, 3), LogScale(0.5, 8)]


@pytest.mark.parametrize("scale", SCALES)
def test_restored_values_keep_the_promised_error(scale: LogScale) -> None:
    values = np.geomspace(scale.floor, 7000, 100_001).astype(np.float32)[1:]
    errors = np.abs(scale.restore(scale.quantise(values)) - values) / values
    assert errors.max() <= scale.largest_error + 1e-4
    assert errors.max() > 0.95 * scale.largest_error


@pytest.mark.parametrize("scale", SCALES)
def test_below_the_floor_is_zero_and_nothing_else_is(scale: LogScale) -> None:
    values = np.array([0, 1e-9, scale.floor * 0.999, scale.floor * 1.001, 6912], dtype=np.float32)
    restored = scale.restore(scale.quantise(values))
    assert (restored == 0).tolist() == [True, True, True, False, False]


def test_larger_attention_has_no_smaller_code() -> None:
    values = np.sort(np.random.default_rng(0).gamma(0.3, 3.0, 1000)).astype(np.float32)
    assert (np.diff(SCALES[0].quantise(values).astype(int)) >= 0).all()


@given(st.lists(st.integers(0, 4), min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_packed_codes_come_back(shape: list[int], seed: int) -> None:
    codes = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    np.testing.assert_array_equal(unpack(pack(codes), codes.shape), codes)
    np.testing.assert_array_equal(unpack(pack(codes.T), codes.T.shape), codes.T)
