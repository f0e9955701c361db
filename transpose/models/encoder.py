"""Transformer encoder over the cells of a feature map (paper, section 3.2)."""

import torch.nn.functional as F
from torch import Tensor, nn


class SelfAttention(nn.Module):
    """Multi-head self-attention whose queries and keys, but not values, know their position."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.dim = dim
        self.heads = heads
        self.dropout = dropout
        projection = nn.Linear(dim, 3 * dim)
        self.in_proj_weight = projection.weight
        self.in_proj_bias = projection.bias
        self.out_proj = nn.Linear(dim, dim)

    def forward(self, tokens: Tensor, position: Tensor | None) -> Tensor:
        """Tokens [B, L, dim], position [L, 1, dim] -> [B, L, dim], by the fused kernel."""
        query, key, value = self._project(tokens, position)
        dropout = self.dropout if self.training else 0.0
        return self._merge(F.scaled_dot_product_attention(query, key, value, dropout_p=dropout))

    def forward_with_attention(self, tokens: Tensor, position: Tensor | None) -> tuple[Tensor, Tensor]:
        """As `forward`, and the attention weights [B, heads, L, L] before dropout; each row sums to 1."""
        query, key, value = self._project(tokens, position)
        scores = query @ key.transpose(-2, -1) / (self.dim // self.heads) ** 0.5
        attention = scores.softmax(dim=-1)
        return self._merge(F.dropout(attention, self.dropout, self.training) @ value), attention

    def _project(self, tokens: Tensor, position: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        placed = tokens if position is None else tokens + position.transpose(0, 1)
        sizes = [2 * self.dim, self.dim]
        weights, biases = self.in_proj_weight.split(sizes), self.in_proj_bias.split(sizes)
        query, key = F.linear(placed, weights[0], biases[0]).chunk(2, dim=-1)
        value = F.linear(tokens, weights[1], biases[1])
        return self._split(query), self._split(key), self._split(value)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def _merge(self, x: Tensor) -> Tensor:
        return self.out_proj(x.transpose(1, 2).flatten(2))


class EncoderLayer(nn.Module):
    """Self-attention and a feed-forward block, each added to its input and normalised after that (post-norm)."""

    def __init__(self, dim: int, heads: int, feedforward: int, dropout: float, attention_dropout: float) -> None:
        super().__init__()
        self.self_attn = SelfAttention(dim, heads, attention_dropout)
        self.linear1 = nn.Linear(dim, feedforward)
        self.linear2 = nn.Linear(feedforward, dim)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)
        self.dropout = dropout

    def forward(self, tokens: Tensor, position: Tensor | None) -> Tensor:
        """Tokens [B, L, dim], position [L, 1, dim] -> [B, L, dim]."""
        return self._transform(tokens, self.self_attn(tokens, position))

    def forward_with_attention(self, tokens: Tensor, position: Tensor | None) -> tuple[Tensor, Tensor]:
        """As `forward`, and the attention weights [B, heads, L, L]."""
        attended, attention = self.self_attn.forward_with_attention(tokens, position)
        return self._transform(tokens, attended), attention

    def _transform(self, tokens: Tensor, attended: Tensor) -> Tensor:
        tokens = self.norm1(tokens + self._drop(attended))
        hidden = self._drop(F.relu(self.linear1(tokens)))
        return self.norm2(tokens + self._drop(self.linear2(hidden)))

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training)


class TransformerEncoder(nn.Module):
    """A stack of encoder layers; the position embedding enters every one of them."""

    def __init__(
        self, layers: int, dim: int, heads: int, feedforward: int, dropout: float, attention_dropout: float
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            EncoderLayer(dim, heads, feedforward, dropout, attention_dropout) for _ in range(layers)
        )

    def forward(self, tokens: Tensor, position: Tensor | None) -> Tensor:
        """Tokens [B, L, dim], position [L, 1, dim] or none -> [B, L, dim]."""
        for layer in self.layers:
            tokens = layer(tokens, position)
        return tokens

    def forward_with_attention(self, tokens: Tensor, position: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        """As `forward`, and the attention weights [B, heads, L, L] of each layer, first layer first."""
        attentions = []
        for layer in self.layers:
            assert isinstance(layer, EncoderLayer)
            tokens, attention = layer.forward_with_attention(tokens, position)
            attentions.append(attention)
        return tokens, attentions
