"""One person's attention as the viewer stores it, reduced to fit a number of bytes.

Matrices contain the areas of all cells: [l, l] for each layer, averaged over heads, and also for single heads on small
grids. On large grids they are pooled to blocks of cells. The areas of the keypoints' own cells are stored separately,
on the full grid and for every head.

Each value is one byte on a logarithmic scale of multiples of uniform attention, and the bytes are compressed with zlib.
A value `v` is stored as code `1 + floor(steps * log2(v / floor))`, or 0 if it is below the scale's floor. A code is
restored as the geometric middle of its step, so the relative error is at most `2 ** (1 / (2 * steps)) - 1`. Code 0 is
restored as 0.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from transpose.attention.maps.capture import LayerAttention
from transpose.attention.maps.grid import Grid

_LARGEST_CODE = 255
_DEFLATE_LEVEL = 6


@dataclass(frozen=True)
class LogScale:
    """A one-byte logarithmic scale: `steps` codes per doubling, starting at `floor` multiples of uniform attention."""

    floor: float
    steps: int

    @property
    def largest_error(self) -> float:
        """Largest relative error |restored - value| / value of values not below the floor."""
        return 2 ** (1 / (2 * self.steps)) - 1

    def quantise(self, multiples: np.ndarray) -> np.ndarray:
        """Return uint8 codes of attention [...] in multiples of uniform attention.

        Larger values are clipped to code 255. Attention over L cells is at most L multiples, far below that code.
        """
        with np.errstate(divide="ignore"):
            steps = np.floor(np.log2(multiples / np.float32(self.floor)) * self.steps)
        return np.clip(steps + 1, 0, _LARGEST_CODE).astype(np.uint8)

    def restore(self, codes: np.ndarray) -> np.ndarray:
        """Return multiples of uniform attention [...] float64 from codes [...]; 0 where they are below the floor."""
        middles = self.floor * 2 ** ((codes.astype(np.float64) - 0.5) / self.steps)
        return np.where(codes > 0, middles, 0.0)


FINE = LogScale(floor=0.25, steps=4)
"""Largest error 9.1 %."""

COARSE = LogScale(floor=1.0, steps=3)
"""Largest error 12.3 %; attention below uniform becomes 0."""

COARSEST = LogScale(floor=1.0, steps=2)
"""Largest error 19 %."""

_LARGEST_MATRIX = 800
"""Largest side of a matrix, in cells or blocks; larger grids are pooled to blocks."""

_LARGEST_MATRIX_OF_HEADS = 256
"""Largest grid, in cells, with matrices of single heads."""


@dataclass(frozen=True)
class PersonAreas:
    """One person's attention in multiples of uniform attention; set 0 is the mean over heads, single heads follow.

    With one head there is only set 0.
    """

    cells: np.ndarray
    """[layers, sets or 1, l, l] float32 between blocks of `pool` x `pool` cells: entry (i, j) is the mean attention of
    cells in block i to cells in block j."""
    pool: int
    """Side of a block in cells."""
    rows: np.ndarray
    """[layers, sets, K, L] float32: dependency areas of the keypoints' cells."""
    columns: np.ndarray
    """[layers, sets, K, L] float32: affected areas."""


@dataclass(frozen=True)
class Storage:
    """Which areas are stored, and at which resolution."""

    pool: int
    """Side of a block of the matrices in cells."""
    cell_heads: bool
    """Matrices of single heads are stored."""
    keypoint_heads: bool
    """Keypoint areas of single heads are stored."""
    cells: LogScale
    keypoints: LogScale


@dataclass(frozen=True)
class PackedAreas:
    """One person's areas, quantised and packed; see `pack`."""

    cells: bytes
    rows: bytes
    columns: bytes

    def __len__(self) -> int:
        return len(self.cells) + len(self.rows) + len(self.columns)


def smallest_pool(grid: Grid) -> int:
    """Return the side in cells of the smallest blocks that tile the grid and fit the largest matrix."""
    return next(pool for pool in _pools(grid) if grid.tokens <= _LARGEST_MATRIX * pool**2)


def person_areas(layers: Sequence[LayerAttention], queries: Tensor, grid: Grid) -> PersonAreas:
    """Compute the areas of one person.

    Args:
        layers: attention of a batch of one.
        queries: [K] tokens of the keypoints' cells.
    """
    pool = smallest_pool(grid)
    of_heads = grid.tokens <= _LARGEST_MATRIX_OF_HEADS
    cells, rows, columns = [], [], []
    for layer in layers:
        # One layer at a time to save memory: a matrix takes 38 MB at 3,072 tokens.
        matrix = layer.matrix()[0] * grid.tokens
        sets = _with_mean(matrix) if of_heads else matrix.mean(dim=0, keepdim=True)
        cells.append(pooled(sets, grid.size, pool))
        rows.append(_with_mean(matrix[:, queries]))
        columns.append(_with_mean(matrix[:, :, queries].transpose(1, 2)))
    return PersonAreas(_stacked(cells), pool, _stacked(rows), _stacked(columns))


def pooled(matrices: Tensor, size: tuple[int, int], pool: int) -> Tensor:
    """Average over blocks of pool x pool cells on both axes: [..., h * w, h * w] of a grid (h, w) -> [..., l, l]."""
    if pool == 1:
        return matrices
    blocks = (size[0] // pool, pool, size[1] // pool, pool)
    means = matrices.unflatten(-1, blocks).mean(dim=(-3, -1)).flatten(-2)
    return means.unflatten(-2, blocks).mean(dim=(-4, -2)).flatten(-3, -2)


def pack_within(persons: Sequence[PersonAreas], grid: Grid, limit: int) -> tuple[Storage, list[PackedAreas]]:
    """Pack persons' areas with the most detail that fits a number of bytes.

    If nothing fits, the storage with the least detail is used: keypoint areas averaged over heads, and matrices of the
    largest blocks.

    Args:
        persons: areas of one model on one grid, at least one.
        limit: bytes for all persons together.
    """
    storage, packed = None, []
    for storage in _storages(persons[0], grid):
        packed = _pack_up_to(persons, storage, grid, limit)
        if len(packed) == len(persons):
            return storage, packed
    assert storage is not None
    return storage, [pack_areas(person, storage, grid) for person in persons]


def pack_areas(person: PersonAreas, storage: Storage, grid: Grid) -> PackedAreas:
    """Pack one person's areas for a storage."""
    size = (grid.size[0] // person.pool, grid.size[1] // person.pool)
    cells = person.cells if storage.cell_heads else person.cells[:, :1]
    blocks = pooled(torch.from_numpy(cells), size, storage.pool // person.pool).numpy()
    sets = slice(None) if storage.keypoint_heads else slice(1)
    return PackedAreas(
        cells=pack(storage.cells.quantise(blocks)),
        rows=pack(storage.keypoints.quantise(person.rows[:, sets])),
        columns=pack(storage.keypoints.quantise(person.columns[:, sets])),
    )


def pack(codes: np.ndarray) -> bytes:
    """Return codes [...] as a zlib stream, in C order."""
    return zlib.compress(codes.tobytes(), _DEFLATE_LEVEL)


def unpack(packed: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """Return uint8 codes of `shape` from the output of `pack`."""
    return np.frombuffer(zlib.decompress(packed), dtype=np.uint8).reshape(shape)


def _storages(person: PersonAreas, grid: Grid) -> Iterator[Storage]:
    """Yield storages from most to least detail: all heads, then coarser, then larger blocks, then without heads."""
    several = person.rows.shape[1] > 1
    if person.cells.shape[1] > 1:
        yield Storage(person.pool, True, True, FINE, FINE)
    for pool in _pools(grid):
        if pool % person.pool == 0:
            yield Storage(pool, False, several, FINE, FINE)
            yield Storage(pool, False, several, COARSE, FINE)
            yield Storage(pool, False, several, COARSE, COARSE)
            yield Storage(pool, False, several, COARSEST, COARSE)
    for pool in _pools(grid):
        if pool % person.pool == 0:
            yield Storage(pool, False, False, COARSE, COARSE)


def _pack_up_to(persons: Sequence[PersonAreas], storage: Storage, grid: Grid, limit: int) -> list[PackedAreas]:
    """Pack the areas of as many persons as fit."""
    packed: list[PackedAreas] = []
    for person in persons:
        areas = pack_areas(person, storage, grid)
        limit -= len(areas)
        if limit < 0:
            break
        packed.append(areas)
    return packed


def _pools(grid: Grid) -> Iterator[int]:
    for pool in range(1, min(grid.size) + 1):
        if grid.size[0] % pool == 0 and grid.size[1] % pool == 0:
            yield pool


def _with_mean(heads: Tensor) -> Tensor:
    """Prepend the mean over heads to heads [heads, ...]; a single head is returned unchanged."""
    return heads if len(heads) == 1 else torch.cat((heads.mean(dim=0, keepdim=True), heads))


def _stacked(layers: list[Tensor]) -> np.ndarray:
    return torch.stack(layers).float().cpu().numpy()
