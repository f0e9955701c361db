"""Parameters, operations and activations of single layers, computed from their shapes."""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Work:
    """Parameters and operations of a part of a network for one crop, and values stored for the backward pass.

    Stored are the values that autograd saves with fused attention and batch norm after convolutions: the input of each
    product, the input of each norm and the output of each ReLU; values shared by two layers count once.
    """

    parameters: int = 0
    macs: int = 0
    """Multiply-accumulates of convolutions and matrix products."""
    activations: int = 0
    """Stored values in the precision of the network."""
    masks: int = 0
    """Entries of dropout masks: one byte each on CUDA."""
    statistics: int = 0
    """Stored values that are always fp32: of layer norms and fused attention."""
    indices: int = 0
    """Indices of a max pooling layer: eight bytes each."""
    attention: int = 0
    """Attention weights of all heads; stored only if attention is not fused."""

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
        """Number of cells."""
        return self.height * self.width

    @property
    def size(self) -> int:
        """Number of values."""
        return self.channels * self.cells

    def strided(self, channels: int, stride: int) -> "Map":
        """Return the map after a layer with this stride and size-preserving padding."""
        return Map(channels, -(-self.height // stride), -(-self.width // stride))

    def enlarged(self, channels: int, factor: int) -> "Map":
        """Return the map after upsampling."""
        return Map(channels, self.height * factor, self.width * factor)


def normalised_convolution(
    source: Map, channels: int, kernel: int, stride: int = 1, rectified: bool = True
) -> tuple[Map, Work]:
    """A convolution without bias, batch norm and, if `rectified`, ReLU."""
    result = source.strided(channels, stride)
    weights = source.channels * channels * kernel**2
    kept = 2 * result.size if rectified else result.size
    return result, Work(parameters=weights + 2 * channels, macs=weights * result.cells, activations=kept)


def deconvolution(source: Map, channels: int, input_is_kept: bool) -> tuple[Map, Work]:
    """A 4x4 transposed convolution of stride 2 without bias, batch norm and ReLU."""
    result = source.enlarged(channels, 2)
    weights = source.channels * channels * 16
    kept = 2 * result.size + (0 if input_is_kept else source.size)
    return result, Work(parameters=weights + 2 * channels, macs=weights * source.cells, activations=kept)


def encoder_layer(tokens: int, dim: int, heads: int, feedforward: int, positions: bool, dropout: bool) -> Work:
    """Self-attention over a number of tokens and the feed-forward block, each with its layer norm.

    Stored values per token, in units of `dim`: inputs of the query/key and value projections; queries, keys and values;
    the attention output; inputs of both norms; the input of the feed-forward block.
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
