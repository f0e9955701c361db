import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from transpose.attention.dependency import (
    affected_area,
    area_on_crop,
    dependency_area,
    explain_persons,
    keypoint_cells,
)
from transpose.config.variant import Encoder, ResNetBackbone, Variant
from transpose.errors import InputError

GRID = (4, 3)
TOKENS = 12


def planted_attention(query: int, key: int) -> torch.Tensor:
    """[2 heads, L, L]: uniform, but `query` attends to `key` alone."""
    attention = torch.full((2, TOKENS, TOKENS), 1 / TOKENS)
    attention[:, query] = 0
    attention[:, query, key] = 1
    return attention


def test_dependency_is_the_row_and_affected_the_column():
    query_cell, key_cell = torch.tensor([[2, 1]]), torch.tensor([[0, 3]])  # (x, y)
    attention = planted_attention(query=1 * 3 + 2, key=3 * 3 + 0)

    row = dependency_area(attention, query_cell, GRID)[0]
    assert row[3, 0] == 1
    assert row.sum() == 1

    column = affected_area(attention, key_cell, GRID)[0]
    assert column[1, 2] == 1
    assert torch.allclose(column.flatten()[torch.arange(TOKENS) != 5], torch.tensor(1 / TOKENS))


def test_areas_average_heads_and_keep_leading_dimensions():
    generator = torch.Generator().manual_seed(0)
    attention = torch.rand((5, 2, TOKENS, TOKENS), generator=generator).softmax(-1)
    cells = torch.stack((torch.arange(10) % 3, torch.arange(10) % 4), -1).reshape(5, 2, 2)
    areas = dependency_area(attention, cells, GRID)
    assert areas.shape == (5, 2, *GRID)
    x, y = cells[3, 1]
    assert torch.equal(areas[3, 1].flatten(), attention[3].mean(0)[y * 3 + x])
    assert torch.allclose(areas.sum((-1, -2)), torch.ones(5, 2))


def test_a_grid_of_another_size_is_refused():
    with pytest.raises(ValueError, match="12 tokens does not fit a grid of 4 x 4"):
        dependency_area(planted_attention(0, 0), torch.tensor([[0, 0]]), (4, 4))


def test_cells_truncate_and_stay_on_the_grid():
    points = torch.tensor([[7.99, 8.0], [-3.0, 31.9], [23.9, 1e6], [-0.5, -0.5]])
    assert keypoint_cells(points, 8, GRID).tolist() == [[0, 1], [0, 3], [2, 3], [0, 0]]


@settings(deadline=None)
@given(st.integers(0, 2), st.integers(0, 3), st.floats(0, 7.99), st.floats(0, 7.99))
def test_every_point_of_a_cell_belongs_to_it(x: int, y: int, dx: float, dy: float):
    point = torch.tensor([8 * x + dx, 8 * y + dy], dtype=torch.float64)
    assert keypoint_cells(point, 8, GRID).tolist() == [x, y]


def test_uniform_attention_is_one_everywhere_on_the_crop():
    assert torch.allclose(area_on_crop(torch.full((2, *GRID), 1 / TOKENS), (32, 24)), torch.ones(2, 32, 24))


def test_threshold_applies_after_upsampling():
    area = torch.zeros(GRID)
    area[1, 1] = 1.0
    whole = area_on_crop(area, (32, 24))
    cut = area_on_crop(area, (32, 24), threshold=6.0)
    assert ((cut == 0) | (cut > 6)).all()
    assert torch.equal(cut, torch.where(whole > 6, whole, 0.0))
    assert 0 < (cut > 0).sum() < (whole > 0).sum()  # a smooth border, finer than the cells


class Planted(torch.nn.Module):
    """Layer n attends from every cell to cell n alone."""

    def forward_with_attention(self, images):
        layers = []
        for n in range(2):
            attention = torch.zeros(len(images), 1, TOKENS, TOKENS)
            attention[..., n] = 1
            layers.append(attention)
        return torch.zeros(len(images), 2, 8, 6), layers


def variant(encoder: Encoder | None) -> Variant:
    return Variant(
        title="planted",
        input_size=(32, 24),
        backbone=ResNetBackbone(family="resnet", blocks=(1, 1)),
        dim=8,
        encoder=encoder,
        upsampling="bilinear",
    )


@pytest.mark.parametrize("batch_size", [1, 2, 8])
def test_explains_every_person_layer_and_keypoint(batch_size: int):
    explained = variant(Encoder(layers=2, heads=1, feedforward=8))
    keypoints = np.array([[[0, 0], [23, 31]], [[9, 9], [0, 0]], [[4, 20], [1, 1]]], dtype=np.float64)
    result = explain_persons(Planted(), explained, torch.zeros(3, 3, 32, 24), keypoints, batch_size)
    assert result.dependency.shape == result.affected.shape == (3, 2, 2, *GRID)
    assert result.dependency.dtype == np.float32
    assert result.uniform == pytest.approx(1 / TOKENS)
    assert result.cells_xy.tolist() == [[[0, 0], [2, 3]], [[1, 1], [0, 0]], [[0, 2], [0, 0]]]
    assert (result.dependency[:, 0, :, 0, 0] == 1).all()
    assert (result.dependency[:, 1, :, 0, 1] == 1).all()
    # All cells use cell 0 in layer 0 and nobody uses another: the affected area of a keypoint there is everything or
    # nothing.
    assert result.affected[:, 0].sum((-1, -2)).tolist() == [[TOKENS, 0], [0, TOKENS], [0, TOKENS]]


def test_nobody_to_explain_is_no_error():
    explained = variant(Encoder(layers=2, heads=1, feedforward=8))
    result = explain_persons(Planted(), explained, torch.zeros(0, 3, 32, 24), np.zeros((0, 2, 2)))
    assert result.dependency.shape == (0, 2, 2, *GRID)


def test_a_variant_without_encoder_says_so():
    with pytest.raises(InputError, match="planted: encoder: has no attention to explain"):
        explain_persons(Planted(), variant(None), torch.zeros(1, 3, 32, 24), np.zeros((1, 2, 2)))
