"""The work of single layers, counted from their shapes."""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Work:
    """What a part of a network consists of, does forward with one crop, and keeps of it for the backward pass.

    Kept is what autograd keeps where attention is fused and convolutions are followed by a batch norm: the input of
    each product, the input of each norm, the output of each rectification; what two layers share is counted once.
    """

    parameters: int = 0
    macs: int = 0
    """Multiply-accumulates of convolutions and matrix products."""
    activations: int = 0
    """Numbers kept in the precision of the network."""
    masks: int = 0
    """Entries of dropout masks: a byte each on CUDA."""
    statistics: int = 0
    """Numbers that stay in fp32 whatever the dtype: of layer norms and of fused attention."""
    indices: int = 0
    """Positions of the maxima of a pooling layer: eight bytes each."""
    attention: int = 0
    """Attention weights of all heads; kept only where the kernel is not fused."""

    def __add__(self, other: "Work") -> "Work":
        return Work(**{field.name: getattr(self, field.name) + getattr(other, field.name) for field in fields(self)})


@dataclass(frozen=True)
class Map:
    """A feature map of one crop."""

    channels: int
    height: int
    width: int

    @property
    def cells(self) -> int:
        """Places of the map."""
        return self.height * self.width

    @property
    def size(self) -> int:
        """Numbers in the map."""
        return self.channels * self.cells

    def strided(self, channels: int, stride: int) -> "Map":
        """The map after a layer of that stride, whose padding keeps the size otherwise."""
        return Map(channels, -(-self.height // stride), -(-self.width // stride))

    def enlarged(self, channels: int, factor: int) -> "Map":
        """The map after an enlargement."""
        return Map(channels, self.height * factor, self.width * factor)


def normalised_convolution(
    source: Map, channels: int, kernel: int, stride: int = 1, rectified: bool = True
) -> tuple[Map, Work]:
    """A convolution without bias, its batch norm and, unless a sum comes first, its rectification."""
    result = source.strided(channels, stride)
    weights = source.channels * channels * kernel**2
    kept = 2 * result.size if rectified else result.size
    return result, Work(parameters=weights + 2 * channels, macs=weights * result.cells, activations=kept)


def deconvolution(source: Map, channels: int, input_is_kept: bool) -> tuple[Map, Work]:
    """A 4x4 transposed convolution of stride 2 without bias, its batch norm and its rectification."""
    result = source.enlarged(channels, 2)
    weights = source.channels * channels * 16
    kept = 2 * result.size + (0 if input_is_kept else source.size)
    return result, Work(parameters=weights + 2 * channels, macs=weights * source.cells, activations=kept)


def encoder_layer(tokens: int, dim: int, heads: int, feedforward: int, positions: bool, dropout: bool) -> Work:
    """Self-attention over a number of tokens and the feed-forward block, each with its layer norm.

    Kept numbers a token, in units of `dim`: what queries and keys, and what values are projected from; queries, keys
    and values; what is attended; the sums before both norms; what the feed-forward block receives.
    """
    cells = tokens * dim
    projections = 4 * dim**2 + 2 * dim * feedforward
    hidden = tokens * feedforward
    return Work(
        parameters=projections + 4 * dim + feedforward + dim + 4 * dim,
        macs=tokens * projections + 2 * tokens**2 * dim,
        activations=(9 if positions else 8) * cells + (2 if dropout else 1) * hidden,
        masks=2 * cells + hidden if dropout else 0,
        statistics=tokens * (heads + 4),
        attention=heads * tokens**2,
    )
