"""BenchmarkReport of DARK decoding against a naive loop over keypoints."""

import cv2
import numpy as np

from transpose.benchmark.comparison import SpeedComparison, compare_speed
from transpose.benchmark.outputs import Outputs
from transpose.inference.decode import dark_decode

KERNEL = 11
PLAIN, OURS = "keypoint by keypoint", "all at once"
_KEYPOINTS, _HEIGHT, _WIDTH = 17, 64, 48


def compare_decoders(persons: int = 256, rounds: int = 5, seed: int = 0) -> SpeedComparison:
    """Time decoding of random heatmaps of `persons` persons: 17 keypoints, 64x48 pixels, a blur of 11 pixels.

    The heatmaps are contiguous, as those of the inference model. The remark gives the largest difference of the points.
    """
    heatmaps = made_up_heatmaps(persons, seed)
    outputs: Outputs[np.ndarray] = Outputs()
    result = compare_speed(
        f"DARK decoding of {_KEYPOINTS} heatmaps of {_HEIGHT}x{_WIDTH} a person, kernel {KERNEL}",
        "persons",
        persons,
        [
            outputs.candidate(PLAIN, lambda: decode_keypoint_by_keypoint(heatmaps)),
            outputs.candidate(OURS, lambda: dark_decode(heatmaps, KERNEL)[0]),
        ],
        rounds,
    )
    difference = np.abs(outputs.of[PLAIN] - outputs.of[OURS]).max()
    return result.model_copy(update={"remark": f"largest difference between the points: {difference:.1g} pixels"})


def made_up_heatmaps(persons: int, seed: int) -> np.ndarray:
    """Return [persons, 17, 64, 48] float32: a noisy Gaussian of 2 pixels per map, at a random point in the box.

    The box is the middle 80 % of the crop in each direction, as the protocol pads it by a quarter.
    """
    rng = np.random.default_rng(seed)
    x, y = (rng.uniform(0.1 * side, 0.9 * side, (persons, _KEYPOINTS, 1)) for side in (_WIDTH - 1, _HEIGHT - 1))
    across = np.exp(-np.square(np.arange(_WIDTH) - x) / 8)
    down = np.exp(-np.square(np.arange(_HEIGHT) - y) / 8)
    heatmaps = rng.uniform(0.2, 1, (persons, _KEYPOINTS, 1, 1)) * down[..., None] * across[..., None, :]
    return (heatmaps + rng.normal(0, 0.01, heatmaps.shape)).astype(np.float32)


def decode_keypoint_by_keypoint(heatmaps: np.ndarray) -> np.ndarray:
    """Return the points [N, K, 2] of `dark_decode`, computed by a naive loop: blur and refine each map.

    Args:
        heatmaps: [N, K, h, w] float32.
    """
    return np.array([[_decode_map(heatmap) for heatmap in maps] for maps in heatmaps])


def _decode_map(heatmap: np.ndarray) -> np.ndarray:
    """Return (x, y) of one map [h, w]."""
    height, width = heatmap.shape
    highest = heatmap.max()
    if highest <= 0:
        return np.zeros(2)
    y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
    place = np.array([x, y], dtype=np.float64)
    if not (1 < x < width - 2 and 1 < y < height - 2):
        return place
    smooth = cv2.GaussianBlur(heatmap, (KERNEL, KERNEL), 0, borderType=cv2.BORDER_CONSTANT)
    log = np.log(np.maximum(smooth * (highest / smooth.max()), 1e-10))
    dx = 0.5 * (log[y, x + 1] - log[y, x - 1])
    dy = 0.5 * (log[y + 1, x] - log[y - 1, x])
    dxx = 0.25 * (log[y, x + 2] - 2 * log[y, x] + log[y, x - 2])
    dyy = 0.25 * (log[y + 2, x] - 2 * log[y, x] + log[y - 2, x])
    dxy = 0.25 * (log[y + 1, x + 1] - log[y - 1, x + 1] - log[y + 1, x - 1] + log[y - 1, x - 1])
    hessian = np.array([[dxx, dxy], [dxy, dyy]], dtype=np.float64)
    if dxx * dyy - dxy**2 == 0:
        return place
    return place - np.linalg.inv(hessian) @ np.array([dx, dy], dtype=np.float64)
