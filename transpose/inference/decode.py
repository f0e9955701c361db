"""Heatmaps become keypoints (paper, section 4.2; Zhang et al., DARK, CVPR 2020)."""

from functools import cache

import cv2
import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view

from transpose.geometry import crop_affines, invert_affine, transform_points

_FLOOR = 1e-10
_REACH = 2
"""Heatmap pixels from the maximum to the farthest value that the derivatives use."""
_STENCIL = (
    (0, 0),
    (-1, 0),
    (1, 0),
    (0, -1),
    (0, 1),
    (-2, 0),
    (2, 0),
    (0, -2),
    (0, 2),
    (-1, -1),
    (1, -1),
    (-1, 1),
    (1, 1),
)
"""(x, y) from the maximum to the values that the derivatives use."""
_MAPS_AT_ONCE = 1024
"""So that a map is still in a processor's cache when it is read again, around its maximum."""


def argmax_decode(heatmaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cell and height of each heatmap's maximum.

    Args:
        heatmaps: [N, K, h, w] float32.

    Returns:
        Points [N, K, 2] (x, y) float64 in heatmap pixels, (0, 0) where no value is positive, and scores [N, K].
    """
    persons, joints, height, width = heatmaps.shape
    flat = heatmaps.reshape(persons, joints, height * width)
    cells = flat.argmax(axis=2)
    scores = np.take_along_axis(flat, cells[..., None], axis=2)[..., 0]
    points = np.stack((cells % width, cells // width), axis=-1).astype(np.float64)
    points[scores <= 0] = 0
    return points, scores


def dark_decode(heatmaps: np.ndarray, blur_kernel: int = 11) -> tuple[np.ndarray, np.ndarray]:
    """Maximum of each heatmap, refined by one Newton step on the logarithm of the blurred heatmap.

    Matches the official evaluation: Gaussian blur of the zero-padded map, rescaled to the height of the unblurred one
    and cut at 1e-10; no refinement within two pixels of the border or where the Hessian is singular; no bound on steps.

    Args:
        heatmaps: [N, K, h, w] float32.
        blur_kernel: odd side of the kernel in heatmap pixels; its standard deviation is OpenCV's for that side.

    Returns:
        Points [N, K, 2] (x, y) float64 in heatmap pixels, and scores [N, K]: the unblurred maxima.
    """
    if blur_kernel % 2 == 0:
        raise ValueError(f"blur_kernel must be odd, not {blur_kernel}")
    weights = _stencil_weights(blur_kernel)
    at_once = max(1, _MAPS_AT_ONCE // heatmaps.shape[1])
    points = np.empty((*heatmaps.shape[:2], 2))
    scores = np.empty(heatmaps.shape[:2], dtype=heatmaps.dtype)
    for start in range(0, len(heatmaps), at_once):
        part = slice(start, start + at_once)
        points[part], scores[part] = argmax_decode(heatmaps[part])
        _refine(points[part].reshape(-1, 2), heatmaps[part].reshape(-1, *heatmaps.shape[2:]), blur_kernel, weights)
    return points, scores


def quarter_decode(heatmaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maximum of each heatmap, moved by a quarter of a pixel along each axis towards the higher neighbour.

    Matches the evaluation of SimpleBaseline and HRNet: no move where neighbours are equal, and none in the outermost
    row and column of the map, nor in the second ones at the left and the top.

    Args:
        heatmaps: [N, K, h, w] float32.

    Returns:
        Points [N, K, 2] (x, y) float64 in heatmap pixels, and scores [N, K].
    """
    height, width = heatmaps.shape[2:]
    points, scores = argmax_decode(heatmaps)
    maps, cells = heatmaps.reshape(-1, height, width), points.reshape(-1, 2).astype(np.int64)
    inside = np.flatnonzero(((cells > 1) & (cells < (width - 1, height - 1))).all(axis=1))
    x, y = cells[inside].T
    slopes = (maps[inside, y, x + 1] - maps[inside, y, x - 1], maps[inside, y + 1, x] - maps[inside, y - 1, x])
    points.reshape(-1, 2)[inside] += 0.25 * np.sign(np.stack(slopes, axis=1))
    return points, scores


def heatmap_to_image(
    points: np.ndarray, center: np.ndarray, scale: np.ndarray, heatmap_size: tuple[int, int]
) -> np.ndarray:
    """Map points from heatmap pixels to image pixels, by the inverse of the affine that maps the person's box there.

    Args:
        points: [N, K, 2] (x, y) in heatmap pixels.
        center: [N, 2] of the box in image pixels.
        scale: [N, 2] sides of the padded box in units of 200 image pixels.
        heatmap_size: (height, width).

    Returns:
        [N, K, 2] float64.
    """
    affines = crop_affines(center, scale, np.zeros(len(center)), heatmap_size)
    return transform_points(invert_affine(affines)[:, None], points)


def _refine(points: np.ndarray, maps: np.ndarray, blur_kernel: int, weights: np.ndarray) -> None:
    """Move points [M, 2] from the maxima of maps [M, h, w], in place, by DARK's step; weights: `_stencil_weights`."""
    height, width = maps.shape[1:]
    cells = points.astype(np.int64)
    inside = np.flatnonzero(((cells >= _REACH) & (cells < (width - _REACH, height - _REACH))).all(axis=1))
    blurred = _blurred_stencils(maps, inside, cells[inside], _REACH + blur_kernel // 2, weights)
    # Rescaling multiplies the map by a factor of at least one, which the logarithm's derivatives do not see unless the
    # cut at 1e-10 does; only then is the whole map blurred to find the factor.
    cut = np.flatnonzero((blurred < _FLOOR).any(axis=0))
    blurred[:, cut] *= _rescaling(maps[inside[cut]], blur_kernel)
    points[inside] += _newton_step(np.log(np.maximum(blurred, _FLOOR)))


def _blurred_stencils(
    maps: np.ndarray, index: np.ndarray, cells: np.ndarray, reach: int, weights: np.ndarray
) -> np.ndarray:
    """[13, P] float64: maps[index] blurred at `_STENCIL` around cells [P, 2], and only there; maps [M, h, w]."""
    inner = ((cells >= reach) & (cells < (maps.shape[2] - reach, maps.shape[1] - reach))).all(axis=1)
    blurred = np.empty((len(_STENCIL), len(index)))
    blurred[:, inner] = _weighted_windows(maps, index[inner], cells[inner], reach, weights)
    # The others reach over the border, beyond which there are zeros.
    outer = ~inner
    height, width = maps.shape[1:]
    padded = np.zeros((np.count_nonzero(outer), height + 2 * reach, width + 2 * reach), dtype=maps.dtype)
    padded[:, reach : reach + height, reach : reach + width] = maps[index[outer]]
    blurred[:, outer] = _weighted_windows(padded, np.arange(len(padded)), cells[outer] + reach, reach, weights)
    return blurred


def _weighted_windows(
    maps: np.ndarray, index: np.ndarray, cells: np.ndarray, reach: int, weights: np.ndarray
) -> np.ndarray:
    """[13, P]: weights [side^2, 13] applied to the windows of maps[index] that reach so far around cells [P, 2]."""
    side = 2 * reach + 1
    if not len(index):
        return np.empty((weights.shape[1], 0))
    windows = sliding_window_view(maps, (side, side), axis=(1, 2))
    windows = windows[index, cells[:, 1] - reach, cells[:, 0] - reach].reshape(len(index), side**2)
    # By torch, whose threads are the recipe's; those of numpy's library cost far more than such a small product takes.
    return (torch.from_numpy(windows).double() @ torch.from_numpy(weights)).numpy().T


@cache
def _stencil_weights(blur_kernel: int) -> np.ndarray:
    """[side^2, 13]: what each pixel (y, x) of a window counts for the blurred value at each place of `_STENCIL`."""
    kernel = cv2.getGaussianKernel(blur_kernel, 0, cv2.CV_64F)[:, 0]
    shifted = np.stack([np.pad(kernel, (_REACH + shift, _REACH - shift)) for shift in range(-_REACH, _REACH + 1)])
    columns = [np.outer(shifted[_REACH + y], shifted[_REACH + x]).ravel() for x, y in _STENCIL]
    return np.stack(columns, axis=1)


def _rescaling(maps: np.ndarray, blur_kernel: int) -> np.ndarray:
    """[M]: maximum of each map [M, h, w] over the maximum of its blurred form."""
    blurred = (
        cv2.GaussianBlur(heatmap, (blur_kernel, blur_kernel), 0, borderType=cv2.BORDER_CONSTANT) for heatmap in maps
    )
    return np.array([heatmap.max() / smooth.max() for heatmap, smooth in zip(maps, blurred, strict=True)])


def _newton_step(log: np.ndarray) -> np.ndarray:
    """[P, 2] (x, y): step from the middle of each stencil [13, P] to the extremum of its second-order expansion."""
    here, left, right, above, below, left2, right2, above2, below2, left_above, right_above, left_below, right_below = (
        log
    )
    dx = 0.5 * (right - left)
    dy = 0.5 * (below - above)
    dxx = 0.25 * (right2 - 2 * here + left2)
    dyy = 0.25 * (below2 - 2 * here + above2)
    dxy = 0.25 * (right_below - right_above - left_below + left_above)
    determinant = dxx * dyy - dxy**2
    regular = determinant != 0
    divisor = np.where(regular, determinant, 1)
    step = np.stack((dxy * dy - dyy * dx, dxy * dx - dxx * dy), axis=1) / divisor[:, None]
    return np.where(regular[:, None], step, 0)
