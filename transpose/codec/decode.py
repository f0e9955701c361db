"""Decode heatmaps to keypoints (paper, section 4.2; Zhang et al., DARK, CVPR 2020)."""

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from transpose.config.study import EvalProtocol

_FLOOR = 1e-10
_REACH = 2
"""Radius around the maximum that the derivatives use, in heatmap pixels."""

_PERSONS_AT_ONCE = 128
"""Small enough that the maps fit the CPU cache, large enough that the overhead of calls is negligible."""


def decode_heatmaps(heatmaps: np.ndarray, protocol: EvalProtocol) -> tuple[np.ndarray, np.ndarray]:
    """Decode heatmaps [N, K, h, w] to points [N, K, 2] in heatmap pixels and scores [N, K], as the protocol says."""
    if protocol.decoder == "argmax":
        return argmax_decode(heatmaps)
    if protocol.decoder == "quarter":
        return quarter_decode(heatmaps)
    return dark_decode(heatmaps, protocol.blur_kernel)


def argmax_decode(heatmaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the position and value of each heatmap's maximum.

    Args:
        heatmaps: [N, K, h, w] float32.

    Returns:
        Points [N, K, 2] (x, y) float64 in heatmap pixels, (0, 0) if no value is positive, and scores [N, K].
    """
    persons, keypoints, height, width = heatmaps.shape
    flat = np.ascontiguousarray(heatmaps).reshape(persons, keypoints, height * width)
    cells = flat.argmax(axis=2)
    scores = np.take_along_axis(flat, cells[..., None], axis=2)[..., 0]
    points = np.stack((cells % width, cells // width), axis=-1).astype(np.float64)
    points[scores <= 0] = 0
    return points, scores


def dark_decode(heatmaps: np.ndarray, blur_kernel: int = 11) -> tuple[np.ndarray, np.ndarray]:
    """Return each heatmap's maximum, refined by one Newton step on the logarithm of the blurred heatmap.

    Matches the official evaluation: Gaussian blur of the zero-padded map, rescaled to the maximum of the unblurred map
    and clipped at 1e-10; no refinement within two pixels of the border or if the Hessian is singular; no step limit.
    The zeros outside of the map draw keypoints near the border inwards: those of an exact target by up to half a pixel
    with the default kernel.

    Args:
        heatmaps: [N, K, h, w] float32.
        blur_kernel: odd kernel size in heatmap pixels; the standard deviation is OpenCV's default for it.

    Returns:
        Points [N, K, 2] (x, y) float64 in heatmap pixels, and scores [N, K]: the unblurred maxima.
    """
    if blur_kernel % 2 == 0:
        raise ValueError(f"blur_kernel must be odd, not {blur_kernel}")
    refine = _Refinement(heatmaps.shape[2:], blur_kernel)
    points, scores = np.empty((*heatmaps.shape[:2], 2)), np.empty(heatmaps.shape[:2], heatmaps.dtype)
    for start in range(0, len(heatmaps), _PERSONS_AT_ONCE):
        block = slice(start, start + _PERSONS_AT_ONCE)
        points[block], scores[block] = _decode_block(heatmaps[block], refine)
    return points, scores


def quarter_decode(heatmaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each heatmap's maximum, moved by a quarter of a pixel along each axis towards the higher neighbour.

    Matches the evaluation of SimpleBaseline and HRNet: no move if the neighbours are equal, in the outermost rows and
    columns, or in the second row from the top and the second column from the left.

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


class _Refinement:
    """DARK's refinement step for maps of one size."""

    def __init__(self, size_hw: tuple[int, ...], blur_kernel: int) -> None:
        kernel = cv2.getGaussianKernel(blur_kernel, 0, cv2.CV_64F)[:, 0]
        self._kernel_side = blur_kernel
        self._size = np.array(size_hw)
        self._window = np.minimum(self._size, 2 * (_REACH + blur_kernel // 2) + 1)
        self._down = _bands(kernel, self._window[0])
        self._across = _bands(kernel, self._window[1]).transpose(0, 2, 1).copy()

    def __call__(self, points: np.ndarray, maps: np.ndarray) -> None:
        """Refine points [M, 2], the maxima of maps [M, h, w], in place."""
        cells = points[:, ::-1].astype(np.int64)
        inside = np.flatnonzero(((cells >= _REACH) & (cells < self._size - _REACH)).all(axis=1))
        patches = self._blurred_patches(maps, inside, cells[inside])
        # Rescaling multiplies the map by a factor of at least 1, which changes the derivatives of the logarithm only if
        # values are clipped at 1e-10. Only then is the whole map blurred to compute the factor.
        cut = np.flatnonzero((patches < _FLOOR).any(axis=(1, 2)))
        patches[cut] *= _rescaling(maps[inside[cut]], self._kernel_side)[:, None, None]
        points[inside] += _newton_step(np.log(np.maximum(patches, _FLOOR)).transpose(1, 2, 0))

    def _blurred_patches(self, maps: np.ndarray, index: np.ndarray, cells_yx: np.ndarray) -> np.ndarray:
        """Return patches [P, 5, 5] (y, x) float64 of the blurred maps[index] around cells [P, 2] (y, x).

        Only these patches are blurred. Windows near the border are shifted to stay inside the map; pixels outside the
        map are zero.
        """
        corners = np.clip(cells_yx - self._window // 2, 0, self._size - self._window)
        windows = sliding_window_view(maps, tuple(self._window), axis=(1, 2))[index, corners[:, 0], corners[:, 1]]
        rows, columns = (cells_yx - corners).T
        return self._down[rows] @ windows.astype(np.float64) @ self._across[columns]


def _decode_block(heatmaps: np.ndarray, refine: _Refinement) -> tuple[np.ndarray, np.ndarray]:
    """Decode one block for `dark_decode`; as a function, so that a contiguous copy is freed before the next block."""
    maps = np.ascontiguousarray(heatmaps)
    points, scores = argmax_decode(maps)
    refine(points.reshape(-1, 2), maps.reshape(-1, *maps.shape[2:]))
    return points, scores


def _bands(kernel: np.ndarray, side: int) -> np.ndarray:
    """Return [side, 5, side]: weights of a window's pixels for the blurred values around each window position."""
    middles = np.arange(side)[:, None, None] + np.arange(-_REACH, _REACH + 1)[:, None]
    taps = np.arange(side) - middles + len(kernel) // 2
    within = (taps >= 0) & (taps < len(kernel))
    return np.where(within, kernel[taps.clip(0, len(kernel) - 1)], 0.0)


def _rescaling(maps: np.ndarray, blur_kernel: int) -> np.ndarray:
    """Return [M]: maximum of each map [M, h, w] divided by the maximum of the blurred map."""
    blurred = (
        cv2.GaussianBlur(heatmap, (blur_kernel, blur_kernel), 0, borderType=cv2.BORDER_CONSTANT) for heatmap in maps
    )
    return np.array([heatmap.max() / smooth.max() for heatmap, smooth in zip(maps, blurred, strict=True)])


def _newton_step(log: np.ndarray) -> np.ndarray:
    """Return Newton steps [P, 2] (x, y) from the centre of each patch [5, 5, P]; 0 if the Hessian is singular."""
    dx = 0.5 * (log[2, 3] - log[2, 1])
    dy = 0.5 * (log[3, 2] - log[1, 2])
    dxx = 0.25 * (log[2, 4] - 2 * log[2, 2] + log[2, 0])
    dyy = 0.25 * (log[4, 2] - 2 * log[2, 2] + log[0, 2])
    dxy = 0.25 * (log[3, 3] - log[1, 3] - log[3, 1] + log[1, 1])
    determinant = dxx * dyy - dxy**2
    regular = determinant != 0
    divisor = np.where(regular, determinant, 1)
    step = np.stack((dxy * dy - dyy * dx, dxy * dx - dxx * dy), axis=1) / divisor[:, None]
    return np.where(regular[:, None], step, 0)
