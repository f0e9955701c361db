"""The TransPose model (paper, section 3.1): backbone, reduction, encoder, upsampling and a 1x1 prediction layer."""

from collections.abc import Mapping

from torch import Tensor, nn

from transpose.errors import InputError
from transpose.models.blazepose import BlazePose
from transpose.models.encoder import Attend, TransformerEncoder, resample_embedding, sine_embedding
from transpose.models.hrnet import HRNet
from transpose.models.resnet import ResNet


class TransPose(nn.Module):
    """Predicts keypoint heatmaps of person crops; without an encoder it is the convolutional baseline.

    `pos_embedding` [L, 1, dim] belongs to `embedding_grid` (h, w) with h * w = L and is resampled for other input
    sizes. It is trained if it is a parameter and fixed if it is a plain tensor; with None the encoder has no positions.
    """

    def __init__(
        self,
        backbone: ResNet | HRNet | BlazePose,
        reduce: nn.Module,
        encoder: TransformerEncoder | None,
        pos_embedding: Tensor | None,
        embedding_grid: tuple[int, int],
        upsampling: nn.Module,
        final_layer: nn.Conv2d,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.reduce = reduce
        self.global_encoder = encoder
        if isinstance(pos_embedding, nn.Parameter):
            self.register_parameter("pos_embedding", pos_embedding)
        else:
            self.register_buffer("pos_embedding", pos_embedding)
        self.pos_embedding: Tensor | None
        self.embedding_grid = embedding_grid
        self.upsampling = upsampling
        self.final_layer = final_layer

    def forward(self, images: Tensor) -> Tensor:
        """Normalised crops [B, 3, H, W] -> heatmaps [B, K, H / 4, W / 4].

        Raises:
            InputError: the height or width is not divisible by the backbone's stride.
        """
        return self.predict_heatmaps(self.encode(self.features(images)))

    def features(self, images: Tensor) -> Tensor:
        """Normalised crops [B, 3, H, W] -> input of the encoder [B, dim, h, w] on its grid (h, w)."""
        self.grid_size((images.shape[-2], images.shape[-1]))
        return self.reduce(self.backbone(images))

    def encode(self, features: Tensor, attends: Mapping[int, Attend] | None = None) -> Tensor:
        """Features [B, dim, h, w] -> encoded features of the same shape; each cell is a token.

        Args:
            attends: see `TransformerEncoder`.
        """
        if self.global_encoder is None:
            return features
        return feature_map(self.global_encoder(tokens_of(features), self.position(features), attends), features)

    def predict_heatmaps(self, encoded: Tensor) -> Tensor:
        """Encoded features [B, dim, h, w] -> heatmaps [B, K, H / 4, W / 4]."""
        return self.final_layer(self.upsampling(encoded))

    def grid_size(self, input_size: tuple[int, int]) -> tuple[int, int]:
        """Return (height, width) of the encoder's grid for an input of (height, width) pixels.

        Raises:
            InputError: a side is not divisible by the backbone's stride.
        """
        height, width = input_size
        stride = self.backbone.stride
        if height % stride or width % stride or not height or not width:
            raise InputError(f"size {height}x{width} is not divisible by {stride}", file="network input")
        return height // stride, width // stride

    def recompute_position(self, grid: tuple[int, int]) -> None:
        """Replace a sine embedding by that of another grid (h, w), instead of resampling it.

        Raises:
            ValueError: the model has no sine embedding.
        """
        if self.pos_embedding is None or isinstance(self.pos_embedding, nn.Parameter):
            raise ValueError("only a sine embedding can be recomputed")
        self.pos_embedding = sine_embedding(grid, self.pos_embedding.shape[-1]).to(self.pos_embedding)
        self.embedding_grid = grid

    def position(self, features: Tensor) -> Tensor | None:
        """Return the position embedding [h * w, 1, dim] for features [B, dim, h, w], or None."""
        if self.pos_embedding is None:
            return None
        grid = (features.shape[-2], features.shape[-1])
        return resample_embedding(self.pos_embedding, self.embedding_grid, grid)


def tokens_of(features: Tensor) -> Tensor:
    """Features [B, dim, h, w] -> tokens [B, h * w, dim], row by row."""
    return features.flatten(2).transpose(1, 2)


def feature_map(tokens: Tensor, like: Tensor) -> Tensor:
    """Tokens [B, h * w, dim] -> features [B, dim, h, w] with the grid of `like` [..., h, w]."""
    return tokens.transpose(1, 2).unflatten(2, like.shape[-2:])
