"""Stored attention: exact rows, columns and block means, one byte a value, and no more bytes than allowed."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from transpose.attention.maps.capture import LayerAttention
from transpose.attention.maps.grid import Grid
from transpose.attention.maps.stored import (
    COARSE,
    FINE,
    LogScale,
    PersonAreas,
    pack,
    pack_within,
    person_areas,
    pooled,
    smallest_pool,
    unpack,
)

SMALL = Grid((4, 6), (4, 6), (16, 24))
SCALES = [LogScale(0.25, 4), LogScale(1.0, 3), LogScale(0.5, 8)]


def layer(grid: Grid, heads: int, seed: int = 0) -> LayerAttention:
    numbers = torch.randn(2, 1, heads, grid.tokens, 8, generator=torch.Generator().manual_seed(seed))
    return LayerAttention(numbers[0], numbers[1])


def areas(heads: int, grid: Grid = SMALL) -> PersonAreas:
    queries = torch.tensor([0, 5, grid.tokens - 1])
    return person_areas([layer(grid, heads), layer(grid, heads, 1)], queries, grid)


def test_areas_are_rows_and_columns_in_multiples_of_uniform() -> None:
    kept = areas(heads=2)
    matrix = layer(SMALL, 2, 1).matrix()[0].numpy() * SMALL.tokens
    sets = np.concatenate((matrix.mean(axis=0, keepdims=True), matrix))
    np.testing.assert_allclose(kept.cells[1], sets, rtol=1e-5)
    np.testing.assert_allclose(kept.rows[1], sets[:, [0, 5, 23]], rtol=1e-5)
    np.testing.assert_allclose(kept.columns[1], sets[:, :, [0, 5, 23]].swapaxes(1, 2), rtol=1e-5)


def test_one_head_is_kept_once() -> None:
    kept = areas(heads=1)
    assert kept.cells.shape == (2, 1, 24, 24)
    assert kept.rows.shape == kept.columns.shape == (2, 1, 3, 24)


def test_blocks_are_means_over_their_cells_on_both_sides() -> None:
    matrix = torch.rand(24, 24, generator=torch.Generator().manual_seed(0))
    blocks = pooled(matrix[None], SMALL.size, 2)[0]
    assert blocks.shape == (6, 6)
    members = [
        [(2 * row + i) * 6 + 2 * column + j for i in (0, 1) for j in (0, 1)] for row in (0, 1) for column in range(3)
    ]
    for first, second in np.ndindex(6, 6):
        expected = matrix[members[first]][:, members[second]].mean()
        assert blocks[first, second] == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize(("size", "pool"), [((32, 24), 1), ((48, 36), 2), ((64, 48), 2), ((96, 72), 3), ((16, 12), 1)])
def test_large_grids_are_pooled_as_little_as_possible(size: tuple[int, int], pool: int) -> None:
    assert smallest_pool(Grid(size, size, size)) == pool


def test_what_is_packed_are_codes_of_the_areas() -> None:
    kept = areas(heads=2)
    storage, (packed,) = pack_within([kept], SMALL, 10**6)
    assert (storage.pool, storage.cell_heads, storage.keypoint_heads, storage.cells) == (1, True, True, FINE)
    np.testing.assert_array_equal(unpack(packed.cells, kept.cells.shape), FINE.quantise(kept.cells))
    np.testing.assert_array_equal(unpack(packed.rows, kept.rows.shape), FINE.quantise(kept.rows))
    np.testing.assert_array_equal(unpack(packed.columns, kept.columns.shape), FINE.quantise(kept.columns))


def test_fewer_bytes_hold_less_and_never_more_than_allowed() -> None:
    persons = [areas(heads=2), areas(heads=2)]
    richest = sum(len(packed) for packed in pack_within(persons, SMALL, 10**6)[1])
    seen = []
    for limit in range(richest + 5, 0, -5):
        storage, packed = pack_within(persons, SMALL, limit)
        size = sum(map(len, packed))
        assert len(packed) == 2
        seen.append((storage.cell_heads, -storage.pool, storage.keypoint_heads, storage.keypoints == FINE))
        assert size <= limit or (storage.pool, storage.keypoint_heads, storage.cells) == (2, False, COARSE)
    assert seen[0][0]
    assert not seen[-1][2]
    assert {heads for _, _, heads, _ in seen} == {True, False}
    assert {pool for _, pool, _, _ in seen} == {-1, -2}


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
