"""Position embeddings: the paper's formula, and resampling to other grids."""

import math

import pytest
import torch

from transpose.models.position import learnable_embedding, resample_embedding, sine_embedding


def test_sine_formula_written_out():
    height, width, dim = 5, 3, 12
    embedding = sine_embedding((height, width), dim)
    assert embedding.shape == (height * width, 1, dim)
    for row in range(height):
        for column in range(width):
            expected = []
            for place, count in ((row, height), (column, width)):
                angle = (place + 1) / (count + 1e-6) * 2 * math.pi
                for k in range(dim // 2):
                    phase = angle / 10000 ** (2 * (k // 2) / (dim // 2))
                    expected.append(math.cos(phase) if k % 2 else math.sin(phase))
            actual = embedding[row * width + column, 0]
            torch.testing.assert_close(actual, torch.tensor(expected), rtol=0, atol=1e-6)


def test_learnable_embedding_is_trained():
    embedding = learnable_embedding((4, 3), 6)
    assert embedding.requires_grad
    assert embedding.shape == (12, 1, 6)


def test_same_grid_keeps_the_embedding():
    embedding = sine_embedding((4, 3), 8)
    assert resample_embedding(embedding, (4, 3), (4, 3)) is embedding


def test_resampling_keeps_the_corners_and_is_linear_between():
    rows, columns = torch.meshgrid(torch.arange(4.0), torch.arange(3.0), indexing="ij")
    plane = torch.stack([rows, columns], dim=-1).reshape(12, 1, 2)
    resampled = resample_embedding(plane, (4, 3), (7, 9)).reshape(7, 9, 2)
    torch.testing.assert_close(resampled[:, 0, 0], torch.linspace(0, 3, 7))
    torch.testing.assert_close(resampled[0, :, 1], torch.linspace(0, 2, 9))


@pytest.mark.parametrize("new_grid", [(2, 5), (8, 6)])
def test_resampling_treats_every_channel_alone(new_grid):
    embedding = learnable_embedding((4, 3), 6).detach()
    together = resample_embedding(embedding, (4, 3), new_grid)
    alone = resample_embedding(embedding[:, :, 2:3], (4, 3), new_grid)
    torch.testing.assert_close(together[:, :, 2:3], alone)
