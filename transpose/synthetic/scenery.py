"""Photographic places, surfaces and collages behind, before and on people, from a few public domain photographs."""

from functools import cache
from pathlib import Path

import cv2
import numpy as np

from transpose.synthetic.camera import Camera
from transpose.synthetic.texture import any_colour

_PANORAMAS = (
    "scenery/panorama_apartment.jpg",
    "scenery/panorama_bridge.jpg",
    "scenery/panorama_city.jpg",
    "scenery/panorama_dawn.jpg",
    "scenery/panorama_esplanade.jpg",
    "scenery/panorama_forest.jpg",
    "scenery/panorama_hall.jpg",
    "scenery/panorama_lab.jpg",
    "scenery/panorama_lobby.jpg",
    "scenery/panorama_night.jpg",
    "scenery/panorama_park.jpg",
    "scenery/panorama_sky.jpg",
    "scenery/panorama_studio.jpg",
    "scenery/panorama_sunrise.jpg",
    "scenery/panorama_sunset.jpg",
    "scenery/panorama_venice.jpg",
    "scenery/panorama_warehouse.jpg",
    "scenery/panorama_workshop.jpg",
)
"""Equirectangular views of whole places, 256x512, RGB."""

_TEXTURES = (
    "scenery/texture_brick.jpg",
    "scenery/texture_chelsea.jpg",
    "scenery/texture_coffee.jpg",
    "scenery/texture_grass.jpg",
    "scenery/texture_gravel.jpg",
    "scenery/texture_rocket.jpg",
)
"""Close views of surfaces and things."""

_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)


@cache
def _photographs(names: tuple[str, ...]) -> tuple[np.ndarray, ...]:
    """Read photographs [H, W, 3] uint8 RGB, once per process."""
    images = (cv2.imread(str(Path(__file__).parent / name)) for name in names)
    return tuple(cv2.cvtColor(image, cv2.COLOR_BGR2RGB) for image in images if image is not None)


def sample_place(camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """Draw what the camera sees of a place: [H, W, 3] float32 RGB in 0..1, its horizon where the ground has it."""
    panoramas = _photographs(_PANORAMAS)
    panorama = panoramas[rng.integers(len(panoramas))]
    height, width = camera.size_hw
    # A wider view than the camera's has more detail, and looks like a place farther away.
    zoom = np.exp(rng.uniform(0, np.log(3)))
    right = (np.arange(width) - camera.centre[0]) / camera.focal
    below = (np.arange(height) - camera.centre[1]) / camera.focal
    rays = [right[None] * axis[0] + below[:, None] * axis[1] + axis[2] for axis in camera.rotation.T]
    turn = np.arctan2(rays[0], rays[1]) * zoom / (2 * np.pi) + rng.random()
    fall = 0.5 - np.arctan2(rays[2], np.hypot(rays[0], rays[1])) * zoom / np.pi
    if rng.random() < 0.5:
        turn = -turn
    # Cubic interpolation needs one pixel before and two after.
    padded = cv2.copyMakeBorder(panorama, 0, 0, 1, 2, cv2.BORDER_WRAP)
    column = np.mod(turn, 1) * panorama.shape[1] + 1
    row = np.clip(fall, 0, 1) * (panorama.shape[0] - 1)
    seen = cv2.remap(padded, column.astype(np.float32), row.astype(np.float32), cv2.INTER_CUBIC)
    return seen.astype(np.float32) / 255


def sample_patch(size_hw: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Draw a part of a photograph, turned, mirrored and in other colours: [H, W, 3] float32 RGB in 0..1."""
    photographs = _photographs(_TEXTURES if rng.random() < 0.6 else _PANORAMAS)
    image = photographs[rng.integers(len(photographs))]
    if rng.random() < 0.5:
        image = image.transpose(1, 0, 2)
    if rng.random() < 0.5:
        image = image[:, ::-1]
    height, width = size_hw
    limit = min(image.shape[0] / height, image.shape[1] / width)
    scale = limit * np.exp(rng.uniform(np.log(0.25), 0))
    rows, columns = max(2, int(height * scale)), max(2, int(width * scale))
    top = int(rng.integers(image.shape[0] - rows + 1))
    left = int(rng.integers(image.shape[1] - columns + 1))
    patch = np.ascontiguousarray(image[top : top + rows, left : left + columns])
    patch = cv2.resize(patch, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32) / 255
    return _recoloured(patch, rng)


def _recoloured(patch: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change the colours of a patch: another hue and contrast, or shades between two colours."""
    grey = (patch @ _LUMINANCE)[..., None]
    # Half of the surfaces are photographs without colour.
    if rng.random() < 0.5:
        dark, bright = any_colour(rng, (0, 0.6), (0, 0.4)), any_colour(rng, (0, 0.35), (0.4, 1))
        return dark + (bright - dark) * grey
    order = rng.permutation(3) if rng.random() < 0.5 else np.arange(3)
    contrast, shift = np.float32(rng.uniform(0.5, 1.3)), np.float32(rng.normal(0, 0.15))
    mean = np.float32(grey.mean())
    return np.clip(mean + shift + contrast * (patch[..., order] - mean), 0, 1)


def sample_weave(side: int, rng: np.random.Generator) -> np.ndarray:
    """Draw cloth from a photograph: factors [side, side, 3] on the colour, around 1; half of it without colour."""
    patch = sample_patch((side, side), rng)
    if rng.random() < 0.5:
        patch = (patch @ _LUMINANCE)[..., None].repeat(3, axis=-1)
    strength = np.float32(rng.uniform(0.2, 1))
    return np.clip(1 + strength * (patch / max(float(patch.mean()), 0.05) - 1), 0.2, 1.8)
