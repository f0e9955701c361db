"""Camera and light effects on a rendered image."""

import cv2
import numpy as np

from transpose.synthetic.texture import noise

_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)


def photograph_plainly(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Apply lens blur, sensor noise and a tone curve to [H, W, 3] float in 0..1; returns uint8."""
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 0.9))
    image += _sensor_noise(image, (0.003, 0.02), rng)
    tones = (np.linspace(0, 1, 256) ** rng.uniform(0.8, 1.15) * 255).round().astype(np.uint8)
    return cv2.LUT((np.clip(image, 0, 1) * 255).astype(np.uint8), tones)


def photograph_with_variety(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Apply shadows, exposure, contrast, colour casts, blur and noise to [H, W, 3] float32 in 0..1; returns uint8."""
    if rng.random() < 0.35:
        image = image * _shadows(image.shape[:2], rng)[..., None]
    if rng.random() < 0.75:
        image = _stretched(image, rng.uniform(0.4, 1))
    image = _coloured(image, rng)
    image = _blurred(image, rng)
    image += _sensor_noise(image, (0.002, 0.015) if rng.random() < 0.8 else (0.01, 0.05), rng)
    tones = (np.linspace(0, 1, 256) ** np.exp(rng.normal(-0.1, 0.25)) * 255).round().astype(np.uint8)
    return cv2.LUT((np.clip(image, 0, 1) * 255).astype(np.uint8), tones)


def _sensor_noise(image: np.ndarray, strengths: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    height, width = image.shape[:2]
    # One noise field, shifted for each colour, is three times cheaper.
    field = rng.standard_normal((height, width + 2), np.float32) * np.float32(rng.uniform(*strengths))
    return np.stack([field[:, shift : shift + width] for shift in range(3)], axis=-1)


def _shadows(size_hw: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Light factor [H, W] of the shadows of objects outside the image."""
    field = noise(size_hw, rng, int(rng.integers(1, 6)), 3)
    edge, softness = rng.uniform(0.35, 0.65), rng.uniform(0.03, 0.5)
    return 1 - np.float32(rng.uniform(0.2, 0.75)) * np.clip((field - np.float32(edge)) / np.float32(softness), 0, 1)


def _stretched(image: np.ndarray, share: float) -> np.ndarray:
    """Stretch the contrast by `share` of the way to the full range, as automatic exposure does."""
    low, high = np.percentile(image[::4, ::4] @ _LUMINANCE, (1, 99))
    stretched = (image - np.float32(low)) / np.float32(max(high - low, 0.05))
    return (1 - np.float32(share)) * image + np.float32(share) * stretched


def _coloured(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    grey = (image @ _LUMINANCE)[..., None]
    saturation = np.float32(0 if rng.random() < 0.07 else rng.uniform(0.4, 1.7))
    gains = np.exp(rng.normal(0, rng.choice([0.05, 0.25], p=[0.8, 0.2]), 3)).astype(np.float32)
    return (grey + saturation * (image - grey)) * gains


def _blurred(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    kind = rng.random()
    if kind < 0.08:
        length = int(rng.integers(3, 9))
        turn = cv2.getRotationMatrix2D((length / 2 - 0.5, length / 2 - 0.5), rng.uniform(0, 180), 1.0)
        kernel = np.zeros((length, length), np.float32)
        kernel[length // 2] = 1
        kernel = cv2.warpAffine(kernel, turn, (length, length))
        return cv2.filter2D(image, -1, kernel / kernel.sum())
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 0.8) if kind < 0.85 else rng.uniform(0.8, 1.6))
    if rng.random() < 0.35:
        sharpening = np.float32(rng.uniform(0.5, 1.5))
        image = image + sharpening * (image - cv2.GaussianBlur(image, (0, 0), 1.2))
    return image
