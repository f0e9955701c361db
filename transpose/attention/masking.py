"""Predictions with cells of the attention grid masked, at three depths.

- `last_layer`: masked as keys of the last layer, whose attention rows are the paper's dependency areas.
- `all_layers`: masked as keys of every layer.
- `image`: the pixels of the cell are blurred, so that the backbone does not see them either.

Attention is renormalised over the remaining cells. If none remain, the attention output is zero and the layer adds only
the bias of its output projection.
"""

from collections.abc import Callable, Iterator
from typing import Literal, get_args

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from transpose.attention.maps.dependency import encoder_of_model
from transpose.attention.maps.grid import Grid
from transpose.attention.persons import heatmaps_of
from transpose.data.crops import normalise
from transpose.models.encoder import Attend, EncoderLayer
from transpose.models.transpose import TransPose, feature_map, tokens_of

Depth = Literal["last_layer", "all_layers", "image"]
"""Where a cell is masked."""

DEPTHS: tuple[Depth, ...] = get_args(Depth)

CellMasking = Callable[[np.ndarray], Tensor]
"""For one person: N masks of kept cells [N, L] bool -> heatmaps [N, K, h, w] float32 on the CPU."""

_TOKENS_AT_ONCE = 2**15


def mask_last_layer(model: TransPose, features: Tensor) -> CellMasking:
    """Mask cells as keys of the last layer; everything before it is computed once.

    Args:
        features: [dim, h, w] of one person, see `TransPose.features`.
    """
    encoder, features = encoder_of_model(model), features[None]
    last = encoder.layers[-1]
    assert isinstance(last, EncoderLayer)
    with torch.inference_mode():
        tokens, position = tokens_of(features), model.position(features)
        for layer in encoder.layers[:-1]:
            tokens = layer(tokens, position)
        query, key, value = last.self_attn.project(tokens, position)

    def predict(kept: Tensor) -> Tensor:
        sizes = (len(kept), -1, -1, -1)
        gathered = attend_to(kept)(query.expand(sizes), key.expand(sizes), value.expand(sizes))
        encoded = last.transform(tokens, last.self_attn.merge(gathered))
        return heatmaps_of(model, feature_map(encoded, features))

    return _in_chunks(predict, features.device)


def mask_all_layers(model: TransPose, features: Tensor) -> CellMasking:
    """Mask cells as keys of every layer; the backbone's features [dim, h, w] are computed once."""
    layers = range(len(encoder_of_model(model).layers))

    def predict(kept: Tensor) -> Tensor:
        several = features[None].expand(len(kept), -1, -1, -1)
        return heatmaps_of(model, model.encode(several, dict.fromkeys(layers, attend_to(kept))))

    return _in_chunks(predict, features.device)


def mask_image(model: TransPose, crop: np.ndarray, grid: Grid) -> CellMasking:
    """Replace the pixels of cells by a strongly blurred copy, before the backbone.

    Args:
        crop: [H, W, 3] uint8 RGB of one person.
    """
    device = next(model.parameters()).device
    blurred = cv2.GaussianBlur(crop, (0, 0), sigmaX=grid.input_size[1] / 4, borderType=cv2.BORDER_REPLICATE)
    columns, rows = np.meshgrid(np.arange(grid.input_size[1]), np.arange(grid.input_size[0]))
    cell_of_pixel = grid.tokens_at(np.stack((columns, rows), axis=-1))

    def predict(kept: Tensor) -> Tensor:
        shown = kept.cpu().numpy()[:, cell_of_pixel][..., None]
        images = normalise(torch.from_numpy(np.where(shown, crop, blurred)).to(device))
        return heatmaps_of(model, model.encode(model.features(images)))

    return _in_chunks(predict, device)


def attend_to(kept: Tensor) -> Attend:
    """Return attention restricted to the kept tokens, [B, L] bool, of each person of the batch."""

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        # The kernel returns zero for a query with all keys masked.
        return F.scaled_dot_product_attention(query, key, value, attn_mask=kept[:, None, None, :])

    return attend


def _in_chunks(predict: Callable[[Tensor], Tensor], device: torch.device) -> CellMasking:
    @torch.inference_mode()
    def masking(kept: np.ndarray) -> Tensor:
        heatmaps = torch.cat([predict(part.to(device)).cpu() for part in _chunks(kept)])
        # Convolutions differ in the last bits with the batch size, but an empty mask must not change the prediction.
        whole = kept.all(axis=1)
        if whole.any():
            heatmaps[torch.from_numpy(whole)] = predict(torch.from_numpy(kept[whole][:1]).to(device)).cpu()
        return heatmaps

    return masking


def _chunks(kept: np.ndarray) -> Iterator[Tensor]:
    yield from torch.from_numpy(kept).split(max(1, _TOKENS_AT_ONCE // kept.shape[1]))
