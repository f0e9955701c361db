"""Cloudy texture."""

import cv2
import numpy as np


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
