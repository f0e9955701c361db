"""Test-time ablations of a trained model: heads and layers off, attention replaced, position embedding changed.

The model is not retrained. The results show what the trained model relies on, not what an architecture trained without
the part would reach.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from transpose.attention.maps.capture import capture
from transpose.attention.maps.dependency import encoder_of_model
from transpose.attention.records import Change, ChangeKind
from transpose.models.encoder import Attend, EncoderLayer, sine_embedding
from transpose.models.transpose import TransPose, feature_map, tokens_of


@dataclass(frozen=True)
class IntactEncoding:
    """A batch as the intact encoder sees it. A change of layer i starts from the input of layer i."""

    features: Tensor
    """[B, dim, h, w]: input of the encoder, see `TransPose.features`."""
    tokens: Sequence[Tensor]
    """[B, L, dim]: input of each layer, and last the output of the encoder."""
    gathered: Sequence[Tensor]
    """[B, heads, L, dim / heads]: what the heads of each layer gather."""


Encode = Callable[[IntactEncoding], Tensor]
"""Encoded features [B, dim, h, w] of a changed model, see `TransPose.encode`."""


def encode_intact(model: TransPose, features: Tensor) -> IntactEncoding:
    """Run the intact encoder on features [B, dim, h, w] and keep what changed encoders start from.

    Raises:
        ValueError: the model has no encoder.
    """
    tokens, gathered, position = [tokens_of(features)], [], model.position(features)
    for layer in _layers_of(model):
        gathered.append(F.scaled_dot_product_attention(*layer.self_attn.project(tokens[-1], position)))
        tokens.append(layer.transform(tokens[-1], layer.self_attn.merge(gathered[-1])))
    return IntactEncoding(features, tokens, gathered)


def ablations(model: TransPose, mean_attention: Sequence[Tensor], seed: int) -> dict[Change, Encode]:
    """Return every ablation that a model allows, each as a function of `encode_intact`; `intact` is first.

    With a single head or layer, ablating one is the same as ablating all, and is listed once.

    Args:
        mean_attention: [heads, L, L] of each layer; see `mean_attention_of`.
        seed: shuffles the cells of the position embedding.

    Raises:
        ValueError: the model has no encoder.
    """
    changes: dict[Change, Encode] = {
        Change(kind="intact"): lambda intact: feature_map(intact.tokens[-1], intact.features)
    }
    for index, layer in enumerate(_layers_of(model)):
        heads = range(layer.self_attn.heads)
        for head in heads if len(heads) > 1 else ():
            changes[Change(kind="head_off", layer=index, head=head)] = _without_heads(model, index, [head])
        changes[Change(kind="all_heads_off", layer=index)] = _without_heads(model, index, heads)
        changes[Change(kind="layer_off", layer=index)] = _without_layer(model, index)
    changes |= _replaced_attention(model, mean_attention)
    return changes | _changed_positions(model, seed)


@torch.inference_mode()
def mean_attention_of(model: TransPose, features: Iterable[Tensor]) -> list[Tensor]:
    """Return each layer's attention averaged over persons, [heads, L, L] for each layer.

    Args:
        features: batches [B, dim, h, w] of at least one person.
    """
    totals: list[Tensor] = []
    persons = 0
    for batch in features:
        sums = [layer.summed() for layer in capture(model, batch)[1]]
        totals = [total + more for total, more in zip(totals, sums, strict=True)] if totals else sums
        persons += len(batch)
    return [total / persons for total in totals]


def uniform_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Average all tokens for every token; see `Attend`."""
    return value.mean(dim=2, keepdim=True).expand_as(value)


def identity_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Let every token attend to itself only; see `Attend`."""
    return value


def fixed_attention(attention: Tensor) -> Attend:
    """Return attention [heads, L, L] that is the same for every image."""

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return attention.to(value.dtype) @ value

    return attend


def _replaced_attention(model: TransPose, mean_attention: Sequence[Tensor]) -> dict[Change, Encode]:
    layers = range(len(encoder_of_model(model).layers))
    replaced: dict[ChangeKind, list[Attend]] = {
        "uniform_attention": [uniform_attention for _ in layers],
        "identity_attention": [identity_attention for _ in layers],
        "mean_attention": [fixed_attention(attention) for attention in mean_attention],
    }
    changes = {}
    for kind, attends in replaced.items():
        changes[Change(kind=kind)] = _attending(model, dict(enumerate(attends)))
        if len(layers) > 1:
            changes[Change(kind=kind, layer=layers[-1])] = _attending(model, {layers[-1]: attends[-1]})
    return changes


def _changed_positions(model: TransPose, seed: int) -> dict[Change, Encode]:
    embeddings = _other_positions(model, seed)
    return {Change(kind=kind): _with_position(model, embedding) for kind, embedding in embeddings.items()}


def _other_positions(model: TransPose, seed: int) -> dict[ChangeKind, Tensor | None]:
    """Return the replacements for a model's position embedding."""
    original, grid = model.pos_embedding, model.embedding_grid
    if original is None:
        weights = next(encoder_of_model(model).parameters())
        return {"sine_added": sine_embedding(grid, weights.shape[-1]).to(weights)}
    embedding = original.detach()
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(embedding))).to(embedding.device)
    changed: dict[ChangeKind, Tensor | None] = {
        "no_position": None,
        "mirrored_position": embedding.unflatten(0, grid).flip(1).flatten(0, 1),
        "shuffled_position": embedding[order],
    }
    if isinstance(original, nn.Parameter):
        changed["sine_in_place"] = sine_embedding(grid, embedding.shape[-1]).to(embedding)
    return changed


def _attending(model: TransPose, attends: Mapping[int, Attend]) -> Encode:
    """Encode with another attention in some layers, by index."""
    first = min(attends)
    return lambda intact: _encode_from(model, first, intact.tokens[first], intact.features, attends)


def _without_heads(model: TransPose, index: int, heads: Collection[int]) -> Encode:
    """Encode with some heads of a layer set to zero (Michel et al. 2019)."""
    layer = _layers_of(model)[index]

    def encode(intact: IntactEncoding) -> Tensor:
        gathered = intact.gathered[index]
        others = gathered.index_fill(1, torch.tensor(list(heads), device=gathered.device), 0.0)
        tokens = layer.transform(intact.tokens[index], layer.self_attn.merge(others))
        return _encode_from(model, index + 1, tokens, intact.features)

    return encode


def _without_layer(model: TransPose, index: int) -> Encode:
    """Encode with a layer that passes its input through unchanged."""
    return lambda intact: _encode_from(model, index + 1, intact.tokens[index], intact.features)


def _with_position(model: TransPose, embedding: Tensor | None) -> Encode:
    """Encode with another position embedding [L, 1, dim] of the same grid, or none."""
    encoder = encoder_of_model(model)
    return lambda intact: feature_map(encoder(intact.tokens[0], embedding), intact.features)


def _encode_from(
    model: TransPose, first: int, tokens: Tensor, features: Tensor, attends: Mapping[int, Attend] | None = None
) -> Tensor:
    """Run the layers from index `first` on tokens [B, L, dim]; returns encoded features like `features`."""
    position = model.position(features)
    for index, layer in enumerate(_layers_of(model)[first:], start=first):
        tokens = layer(tokens, position, attends.get(index) if attends else None)
    return feature_map(tokens, features)


def _layers_of(model: TransPose) -> list[EncoderLayer]:
    return cast("list[EncoderLayer]", list(encoder_of_model(model).layers))
