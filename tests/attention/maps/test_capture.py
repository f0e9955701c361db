"""Capturing attention does not change the output and gives the correct attention."""

import pytest
import torch

from tests.helpers.small_variants import FAMILIES, noise, small_model
from transpose.attention.maps import capture as module
from transpose.attention.maps.capture import Capture, LayerAttention, capture


@pytest.fixture(params=FAMILIES)
def model(request):
    return small_model(request.param)


@torch.inference_mode()
def test_the_models_output_is_the_same_to_the_bit(model):
    features = model.features(noise(3, 3, 32, 24))
    encoded, layers = capture(model, features)
    assert torch.equal(encoded, model.encode(features))
    assert len(layers) == 2


@pytest.mark.parametrize("at_once", [1, 100, 2**20])
@torch.inference_mode()
def test_rows_columns_and_sums_are_parts_of_the_matrix(model, at_once, monkeypatch):
    monkeypatch.setattr(module, "_VALUES_AT_ONCE", at_once)
    _, layers = capture(model, model.features(noise(3, 3, 32, 24)))
    for layer in layers:
        matrix = (layer.query @ layer.key.transpose(-2, -1) / layer.query.shape[-1] ** 0.5).softmax(dim=-1)
        torch.testing.assert_close(layer.matrix(), matrix)
        torch.testing.assert_close(matrix.sum(dim=-1), torch.ones(matrix.shape[:-1]))
        tokens = torch.tensor([[0, 5, 5], [11, 2, 7], [3, 4, 0]])
        for person, queries in enumerate(tokens):
            torch.testing.assert_close(layer.rows(tokens)[person], matrix[person, :, queries])
            torch.testing.assert_close(layer.columns(tokens)[person], matrix[person, :, :, queries].transpose(1, 2))
        torch.testing.assert_close(layer.summed(), matrix.sum(dim=0))


def test_a_planted_row_and_column():
    # Token 2 looks for direction 0, which only token 7 has; the other tokens look for nothing.
    query, key = torch.zeros(1, 1, 12, 4), torch.zeros(1, 1, 12, 4)
    query[..., 2, 0], key[..., 7, 0] = 40.0, 10.0
    layer = LayerAttention(query, key)
    assert layer.rows(torch.tensor([[2]]))[0, 0, 0, 7] == pytest.approx(1)
    column = layer.columns(torch.tensor([[7]]))[0, 0, 0]
    assert column[2] == pytest.approx(1)
    torch.testing.assert_close(column[torch.arange(12) != 2], torch.full((11,), 1 / 12))


def test_without_encoder_there_is_nothing_to_see():
    model = small_model("resnet", {"encoder": None})
    features = model.features(noise(1, 3, 32, 24))
    encoded, layers = capture(model, features)
    assert torch.equal(encoded, features)
    assert layers == []


def test_a_layer_that_has_not_run_is_an_error():
    with pytest.raises(RuntimeError, match="has not run"):
        _ = Capture().attention
