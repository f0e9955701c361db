"""Random colours, RGB float32 in 0..1, and cloudy texture."""

import cv2
import numpy as np

SKINS = (
    np.array(
        [[232, 190, 164], [222, 172, 140], [208, 152, 118], [184, 124, 92], [152, 98, 70], [112, 68, 48], [84, 50, 36]],
        np.float32,
    )
    / 255
)
HAIRS = (
    np.array(
        [
            [22, 18, 18],
            [50, 36, 28],
            [68, 60, 40],
            [150, 110, 70],
            [205, 165, 110],
            [125, 120, 120],
            [205, 200, 200],
            [110, 45, 30],
        ],
        np.float32,
    )
    / 255
)
DENIM = np.array([0.18, 0.3, 0.45], np.float32)


def any_colour(
    rng: np.random.Generator, saturation: tuple[float, float] = (0, 0.8), value: tuple[float, float] = (0.08, 0.95)
) -> np.ndarray:
    """Draw a colour [3] of any hue, within the given ranges of saturation and value."""
    hsv = np.array([[[rng.uniform(0, 360), rng.uniform(*saturation), rng.uniform(*value)]]], np.float32)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0]


def any_skin(rng: np.random.Generator) -> np.ndarray:
    """Draw a skin colour [3]."""
    return (SKINS[rng.integers(len(SKINS))] * rng.uniform(0.9, 1.1, 3) * rng.uniform(0.92, 1.05)).astype(np.float32)


def any_hair(rng: np.random.Generator) -> np.ndarray:
    """Draw a hair colour [3]."""
    return (HAIRS[rng.integers(len(HAIRS))] * rng.uniform(0.8, 1.2)).astype(np.float32)


def noise(size_hw: tuple[int, int], rng: np.random.Generator, coarsest: int = 3, octaves: int = 4) -> np.ndarray:
    """Draw cloudy texture [H, W] float32 in 0..1: value noise over octaves, from `coarsest` cells across the image."""
    height, width = size_hw
    total, amplitude = np.zeros(size_hw, np.float32), 1.0
    for octave in range(octaves):
        cells = coarsest * 2**octave
        grid = rng.random((max(2, cells * height // width + 2), cells + 2), np.float32)
        total += np.float32(amplitude) * cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR)
        amplitude *= 0.6
    lowest, highest = float(total.min()), float(total.max())
    return (total - lowest) / (highest - lowest + 1e-6)
