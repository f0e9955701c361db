"""Geometric augmentation of person crops (paper, section 4.1; distributions and order of the official recipe)."""

from dataclasses import dataclass, replace

import numpy as np

from transpose.config.training import Augmentation
from transpose.geometry import PIXELS_PER_SCALE_UNIT, crop_affine, extend_to_aspect, transform_points
from transpose.skeleton import Skeleton

_HALF_BODY_PADDING = 1.5
_UPPER_BODY_QUANTILE = 0.5
"""The upper body is chosen when a standard normal draw is below this, with probability 0.69."""


@dataclass(frozen=True)
class AugmentedFrame:
    """The frame of a crop in an image."""

    center: np.ndarray
    """[2] image pixels."""
    scale: np.ndarray
    """[2] units of 200 image pixels."""
    rotation: float = 0.0
    """Degrees."""
    flip: bool = False
    """Mirror the crop, after the rotation."""

    def affine(self, size_hw: tuple[int, int]) -> np.ndarray:
        """Return the affine [2, 3] from image to crop (or heatmap) pixels, including the flip."""
        affine = crop_affine(self.center, self.scale, self.rotation, size_hw)
        if self.flip:
            affine[0] = -affine[0]
            affine[0, 2] += size_hw[1] - 1
        return affine

    def place_keypoints(
        self, keypoints: np.ndarray, size_hw: tuple[int, int], skeleton: Skeleton
    ) -> tuple[np.ndarray, np.ndarray]:
        """Map keypoints [K, 3] to the crop (or heatmap).

        Returns:
            points [K, 2], zero where not labelled, and labelled [K] bool.
        """
        upright = replace(self, flip=False).affine(size_hw)
        labelled = keypoints[:, 2] > 0
        points = np.where(labelled[:, None], transform_points(upright, keypoints[:, :2]), 0.0)
        return mirror_keypoints(points, labelled, size_hw[1], skeleton) if self.flip else (points, labelled)


def mirror_keypoints(
    points: np.ndarray, labelled: np.ndarray, width: int, skeleton: Skeleton
) -> tuple[np.ndarray, np.ndarray]:
    """Flip keypoints: x becomes width - 1 - x, left and right are swapped, unlabelled keypoints are zero.

    Args:
        points: [K, 2] pixels.
        labelled: [K] bool.
        width: of the image, crop or heatmap that contains the points.

    Returns:
        points [K, 2] and labelled [K] bool.
    """
    labelled = labelled[skeleton.flip_permutation]
    mirrored = points[skeleton.flip_permutation] * (-1.0, 1.0) + (width - 1.0, 0.0)
    return np.where(labelled[:, None], mirrored, 0.0), labelled


def sample_augmentation(
    keypoints: np.ndarray,
    center: np.ndarray,
    scale: np.ndarray,
    skeleton: Skeleton,
    input_size: tuple[int, int],
    settings: Augmentation,
    rng: np.random.Generator,
) -> AugmentedFrame:
    """Draw one frame: half body, then scale, rotation and flip.

    Args:
        keypoints: [K, 3] image pixels and visibility.
        center: [2] image pixels.
        scale: [2] units of 200 image pixels.
        input_size: (height, width) of the network's input, for the aspect of a half body.
        settings: probabilities and magnitudes.
        rng: random number generator.
    """
    labelled = keypoints[:, 2] > 0
    if labelled.sum() > settings.half_body_keypoints and rng.random() < settings.half_body_probability:
        half = _half_body(keypoints[:, :2], labelled, skeleton.upper_body_mask, input_size, rng)
        center, scale = half or (center, scale)
    factor = settings.scale_factor
    scale = scale * np.clip(1 + factor * rng.standard_normal(), 1 - factor, 1 + factor)
    rotation = 0.0
    if rng.random() < settings.rotation_probability:
        bound = 2 * settings.rotation_factor
        rotation = float(np.clip(settings.rotation_factor * rng.standard_normal(), -bound, bound))
    return AugmentedFrame(center, scale, rotation, bool(rng.random() < settings.flip_probability))


def _half_body(
    points: np.ndarray,
    labelled: np.ndarray,
    upper_body: np.ndarray,
    input_size: tuple[int, int],
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return centre [2] and scale [2] of the upper or lower body; None if too few keypoints are labelled."""
    upper, lower = points[labelled & upper_body], points[labelled & ~upper_body]
    prefers_upper = rng.standard_normal() < _UPPER_BODY_QUANTILE
    chosen = upper if (prefers_upper and len(upper) > 2) or len(lower) <= 2 else lower
    if len(chosen) < 2:
        return None
    sides = extend_to_aspect(np.ptp(chosen, axis=0) + 1, input_size)
    return chosen.mean(axis=0), sides * (_HALF_BODY_PADDING / PIXELS_PER_SCALE_UNIT)
