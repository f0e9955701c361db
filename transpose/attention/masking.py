"""Predictions with cells of the attention grid masked, at three depths: knock-out, deletion and insertion.

- `last_layer`: masked as keys of the last layer, whose attention rows are the paper's dependency areas.
- `all_layers`: masked as keys of every layer.
- `image`: the pixels of the cell are blurred, so that the backbone does not see them either.

Attention is renormalised over the remaining cells. If none remain, the attention output is zero and the layer adds only
the bias of its output projection.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
import torch
from torch import Tensor

from transpose.attention.maps.dependency import encoder_of_model
from transpose.attention.maps.grid import Grid
from transpose.attention.persons import ExplainedPerson, heatmaps_of
from transpose.attention.subsets import AttentionToSubsets, attend_to
from transpose.data.normalise import normalise
from transpose.models.encoder import EncoderLayer
from transpose.models.transpose import TransPose, feature_map, tokens_of
from transpose.pose_model import PoseModel

Depth = Literal["last_layer", "all_layers", "image"]
"""Where a cell is masked."""

DEPTHS: tuple[Depth, ...] = get_args(Depth)

CellMasking = Callable[[np.ndarray], Tensor]
"""For one person: N masks of kept cells [N, L] bool -> heatmaps [N, K, h, w] float32 on the CPU."""

_TOKENS_AT_ONCE = 2**15


def mask_last_layer(model: TransPose, features: Tensor) -> CellMasking:
    """Mask cells as keys of the last layer.

    Args:
        features: [dim, h, w] of one person, see `TransPose.features`.
    """
    return _mask_from(len(encoder_of_model(model).layers) - 1, model, features)


def mask_all_layers(model: TransPose, features: Tensor) -> CellMasking:
    """Mask cells as keys of every layer; features are those of `mask_last_layer`."""
    return _mask_from(0, model, features)


def _mask_from(first: int, model: TransPose, features: Tensor) -> CellMasking:
    """Mask cells as keys of layer `first`, from 0, and of all later ones.

    What no mask changes is computed once: the layers before it, and the scores of its attention.
    """
    layers, features = encoder_of_model(model).layers, features[None]
    masked = layers[first]
    assert isinstance(masked, EncoderLayer)
    with torch.inference_mode():
        tokens, position = tokens_of(features), model.position(features)
        for layer in layers[:first]:
            tokens = layer(tokens, position)
        attention = AttentionToSubsets(*masked.self_attn.project(tokens, position))

    def predict(kept: Tensor) -> Tensor:
        encoded = masked.transform(tokens, masked.self_attn.merge(attention(kept)))
        for layer in layers[first + 1 :]:
            encoded = layer(encoded, position, attend_to(kept))
        return heatmaps_of(model, feature_map(encoded, features))

    return _in_chunks(predict, features.device)


def mask_image(model: TransPose, crop: np.ndarray, grid: Grid) -> CellMasking:
    """Replace the pixels of cells by a strongly blurred copy, before the backbone.

    Args:
        crop: [H, W, 3] uint8 RGB of one person.
    """
    device = next(model.parameters()).device
    blurred = cv2.GaussianBlur(crop, (0, 0), sigmaX=grid.input_size[1] / 4, borderType=cv2.BORDER_REPLICATE)
    cell_of_pixel = grid.tokens_of_pixels()

    def predict(kept: Tensor) -> Tensor:
        shown = kept.cpu().numpy()[:, cell_of_pixel][..., None]
        images = normalise(torch.from_numpy(np.where(shown, crop, blurred)).to(device))
        return heatmaps_of(model, model.encode(model.features(images)))

    return _in_chunks(predict, device)


@dataclass(frozen=True)
class MaskedPrediction:
    """Predictions of keypoints [..., J] with some cells masked."""

    points_xy: np.ndarray
    """[..., J, 2] float64, crop pixels."""
    peak_drop: np.ndarray
    """[..., J]: lost share of the heatmap's value at its original maximum; negative if the value has increased."""
    shift: np.ndarray
    """[..., J]: distance from the unmasked prediction, crop pixels."""


def most_important(importance: np.ndarray, fraction: float) -> np.ndarray:
    """Return [..., L] bool: the given share of cells with the largest importance [..., L], at least one cell.

    Ties are broken by token order.
    """
    tokens = importance.shape[-1]
    count = min(tokens, max(1, round(fraction * tokens)))
    chosen = np.zeros(importance.shape, dtype=bool)
    np.put_along_axis(chosen, np.argsort(-importance, axis=-1, kind="stable")[..., :count], values=True, axis=-1)
    return chosen


def knock_out(model: PoseModel, masking: CellMasking, person: ExplainedPerson, kept: np.ndarray) -> MaskedPrediction:
    """Predict each of J keypoints from its kept cells, [..., J, L] bool."""
    leading, keypoints = kept.shape[:-1], person.keypoints
    heatmaps = masking(kept.reshape(-1, kept.shape[-1])).numpy()
    own = np.tile(keypoints, len(heatmaps) // max(1, len(keypoints)))
    return outcome(model, heatmaps[np.arange(len(heatmaps)), own].reshape(*leading, *heatmaps.shape[2:]), person)


def outcome(model: PoseModel, heatmaps: np.ndarray, person: ExplainedPerson) -> MaskedPrediction:
    """Compare heatmaps [..., J, h, w] of a person's J keypoints with those of the unmasked pass."""
    *leading, keypoints, height, width = heatmaps.shape
    found = model.decode(np.ascontiguousarray(heatmaps).reshape(-1, keypoints, height, width))
    points = found.points_xy.reshape(*leading, keypoints, 2)
    flat = heatmaps.reshape(*leading, keypoints, -1)
    after = np.take_along_axis(flat, np.broadcast_to(person.peak_cells[:, None], (*leading, keypoints, 1)), -1)[..., 0]
    before = person.heatmaps.reshape(len(person.heatmaps), -1)[person.keypoints, person.peak_cells]
    shift = np.linalg.norm(points - person.points_xy, axis=-1)
    # The lost share is undefined for peaks that are not positive.
    drop = np.divide(before - after, before, out=np.full(after.shape, np.nan), where=before > 0)
    return MaskedPrediction(points, drop, shift)


def deletion_and_insertion(
    model: PoseModel,
    masking: CellMasking,
    person: ExplainedPerson,
    importance: Mapping[str, np.ndarray],
    fractions: Sequence[float],
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Predict keypoints with growing shares of the most important cells masked (deletion) or kept (insertion).

    Args:
        importance: [J, L] by method.

    Returns:
        Points [F + 2, J, 2] in crop pixels of deletion and of insertion, by method; the ends are the shares 0 and 1.
    """
    nothing, everything = (np.full((1, len(person.keypoints), model.grid.tokens), kept) for kept in (False, True))
    ends = knock_out(model, masking, person, np.concatenate((everything, nothing))).points_xy
    curves = {}
    for method, values in importance.items():
        chosen = np.stack([most_important(values, fraction) for fraction in fractions])
        points = knock_out(model, masking, person, np.stack((~chosen, chosen))).points_xy
        deletion = np.concatenate((ends[:1], points[0], ends[1:]))
        curves[method] = deletion, np.concatenate((ends[1:], points[1], ends[:1]))
    return curves


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
