"""The encoder compared with PyTorch's own attention, and with replaced attention; position embeddings."""

import math

import pytest
import torch
from torch import nn

from tests.helpers.small_variants import noise
from transpose.models.encoder import (
    EncoderLayer,
    SelfAttention,
    TransformerEncoder,
    learnable_embedding,
    resample_embedding,
    sine_embedding,
)

DIM, HEADS, TOKENS = 8, 2, 12


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return TransformerEncoder(2, DIM, HEADS, 12, dropout=0.1, attention_dropout=0.1).eval()


def test_attention_equals_pytorchs():
    torch.manual_seed(0)
    ours = SelfAttention(DIM, HEADS, dropout=0.0)
    theirs = nn.MultiheadAttention(DIM, HEADS, batch_first=True)
    theirs.load_state_dict(ours.state_dict())
    tokens, position = noise(3, TOKENS, DIM), noise(TOKENS, 1, DIM, seed=1)
    placed = tokens + position.transpose(0, 1)
    expected, weights = theirs(placed, placed, tokens, average_attn_weights=False)
    torch.testing.assert_close(ours(tokens, position), expected)
    torch.testing.assert_close(ours(tokens, position, attend=lambda query, key, value: weights @ value), expected)


def test_layer_equals_pytorchs_without_positions():
    torch.manual_seed(0)
    ours = EncoderLayer(DIM, HEADS, 12, dropout=0.0, attention_dropout=0.0)
    theirs = nn.TransformerEncoderLayer(DIM, HEADS, 12, dropout=0.0, batch_first=True)
    theirs.load_state_dict(ours.state_dict())
    tokens = noise(2, TOKENS, DIM)
    torch.testing.assert_close(ours(tokens, None), theirs(tokens))


def test_only_the_given_layer_uses_another_attention(encoder):
    tokens, position = noise(2, TOKENS, DIM), noise(TOKENS, 1, DIM, seed=1)
    first, second = encoder.layers
    replaced = encoder(tokens, position, {1: lambda query, key, value: value})
    once = first(tokens, position)
    _, _, value = second.self_attn.project(once, position)
    torch.testing.assert_close(replaced, second.transform(once, second.self_attn.merge(value)))


def test_values_get_no_position():
    torch.manual_seed(0)
    attention = SelfAttention(DIM, HEADS, dropout=0.0)
    # With equal tokens every weighted mean of values is the same value, whatever the positions do to the weights.
    tokens = noise(1, 1, DIM).expand(1, TOKENS, DIM)
    with_position = attention(tokens, 5 * noise(TOKENS, 1, DIM, seed=1))
    torch.testing.assert_close(with_position, attention(tokens, None))


def test_position_enters_every_layer(encoder):
    tokens, position = noise(1, TOKENS, DIM), noise(TOKENS, 1, DIM, seed=1)
    first, second = encoder.layers
    torch.testing.assert_close(encoder(tokens, position), second(first(tokens, position), position))
    assert not torch.allclose(encoder(tokens, position), second(first(tokens, position), None))


def test_without_position_tokens_may_be_reordered(encoder):
    tokens, order = noise(1, TOKENS, DIM), torch.randperm(TOKENS, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(encoder(tokens, None)[:, order], encoder(tokens[:, order], None))


def test_dropout_acts_only_while_training(encoder):
    tokens = noise(1, TOKENS, DIM)
    assert torch.equal(encoder(tokens, None), encoder(tokens, None))
    encoder.train()
    assert not torch.equal(encoder(tokens, None), encoder(tokens, None))


def test_gradients_of_the_fused_kernel_and_of_the_formula_agree(encoder):
    encoder = encoder.double()
    position = noise(TOKENS, 1, DIM, seed=1).double()
    gradients = []
    for attends in (None, {0: by_formula, 1: by_formula}):
        encoder.zero_grad()
        encoder(noise(2, TOKENS, DIM).double(), position, attends).square().sum().backward()
        gradients.append([parameter.grad.clone() for parameter in encoder.parameters()])
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-10, atol=1e-12)


def by_formula(query, key, value):
    return (query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5).softmax(dim=-1) @ value


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
