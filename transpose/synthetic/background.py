"""Backgrounds: sky or wall, clutter, a floor in perspective, overlapping shapes of all sizes, or photographs."""

from collections.abc import Callable

import cv2
import numpy as np

from transpose.synthetic.camera import Camera
from transpose.synthetic.scenery import sample_patch, sample_place
from transpose.synthetic.texture import any_colour, any_skin, noise

_GREATEST_COUNT = 250
"""Shapes in an image of overlapping shapes."""

_PATCHES = 4
"""Parts of photographs in an image of overlapping shapes."""

_FIELDS = 3
"""Grains that are mixed in each shape."""


def sample_background(camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """Draw the image behind the people, [H, W, 3] float32 RGB in 0..1."""
    height, width = camera.size_hw
    # Drawn at half size and enlarged: four times cheaper, and edges are as soft as those of a lens.
    half = (max(2, height // 2), max(2, width // 2))
    image = _wall(half, rng)
    for _ in range(int(rng.integers(2, 16))):
        _add_clutter(image, rng)
    image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    image = _with_floor(image, camera, rng)
    if rng.random() < 0.5:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 3))
    return np.clip(image, 0, 1)


def sample_cluttered_background(camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """Draw a photographic or a cluttered image, or one of `sample_background`: [H, W, 3] float32 RGB in 0..1."""
    kind = rng.random()
    if kind < 0.5:
        return _photographic_background(camera, rng)
    if kind < 0.6:
        return sample_background(camera, rng)
    image = sample_leaves(camera.size_hw, rng)
    if rng.random() < 0.35:
        image = _with_floor(image, camera, rng)
    if rng.random() < 0.5:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 2.5))
    return np.clip(image, 0, 1)


def _photographic_background(camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """Draw a place or a surface, often with things from other photographs in it."""
    image = sample_place(camera, rng) if rng.random() < 0.7 else sample_patch(camera.size_hw, rng)
    if rng.random() < 0.15:
        image = _with_floor(image, camera, rng)
    if rng.random() < 0.6:
        image = sample_collage(camera.size_hw, rng, behind=image)
    if rng.random() < 0.3:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 2.5))
    return image


def _wall(size_hw: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    top = any_colour(rng, (0, 0.55), (0.2, 1))
    bottom = np.clip(top * rng.uniform(0.75, 1.2) + rng.uniform(-0.12, 0.12, 3), 0, 1)
    blend = np.linspace(0, 1, size_hw[0], dtype=np.float32)[:, None, None]
    wall = (top * (1 - blend) + bottom.astype(np.float32) * blend) * np.ones((1, size_hw[1], 1), np.float32)
    return wall * (0.8 + 0.4 * noise(size_hw, rng, int(rng.integers(2, 8))))[..., None]


def _add_clutter(image: np.ndarray, rng: np.random.Generator) -> None:
    height, width = image.shape[:2]
    shapes, shares = zip(*_CLUTTER, strict=True)
    w, h = int(rng.uniform(0.03, 0.4) * width), int(rng.uniform(0.05, 0.6) * height)
    x, y = int(rng.integers(-w // 2, width)), int(rng.integers(-h // 2, height))
    # Some clutter has the colour of skin, so that colour alone does not identify people.
    colour = any_skin(rng) if rng.random() < 0.15 else any_colour(rng, (0, 0.7))
    mask = np.zeros((height, width), np.uint8)
    shapes[rng.choice(len(shapes), p=shares)](mask, x, y, w, h, rng)
    region = mask > 0
    paint = colour * rng.uniform(0.6, 1.1) if rng.random() < 0.3 else colour
    texture = np.float32(1)
    if rng.random() < 0.3:
        texture = (0.7 + 0.6 * noise((height, width), rng, int(rng.integers(3, 20)), 3))[region][:, None]
    opacity = (mask[region] * np.float32(rng.uniform(0.6, 1) / 255))[:, None]
    image[region] = image[region] * (1 - opacity) + opacity * paint.astype(np.float32) * texture


def _rectangle(mask: np.ndarray, x: int, y: int, w: int, h: int, rng: np.random.Generator) -> None:
    cv2.rectangle(mask, (x, y), (x + w, y + h), 255, -1)


def _ellipse(mask: np.ndarray, x: int, y: int, w: int, h: int, rng: np.random.Generator) -> None:
    cv2.ellipse(mask, (x + w // 2, y + h // 2), (w // 2, h // 2), rng.uniform(0, 180), 0, 360, 255, -1, cv2.LINE_AA)


def _pole(mask: np.ndarray, x: int, y: int, w: int, h: int, rng: np.random.Generator) -> None:
    end = (int(x + rng.normal(0, 0.3) * mask.shape[1]), y + h)
    cv2.line(mask, (x, y), end, 255, int(rng.integers(1, max(2, mask.shape[1] // 22))), cv2.LINE_AA)


def _windows(mask: np.ndarray, x: int, y: int, w: int, h: int, rng: np.random.Generator) -> None:
    across, down = int(rng.integers(2, 7)), int(rng.integers(2, 7))
    for i in range(across):
        for j in range(down):
            start = (int(x + (i + 0.2) * w / across), int(y + (j + 0.2) * h / down))
            end = (int(x + (i + 0.8) * w / across), int(y + (j + 0.8) * h / down))
            cv2.rectangle(mask, start, end, 255, -1)


def _polygon(mask: np.ndarray, x: int, y: int, w: int, h: int, rng: np.random.Generator) -> None:
    corners = rng.random((int(rng.integers(3, 8)), 2)) * (w, h) + (x, y)
    cv2.fillPoly(mask, [corners.astype(np.int32)], 255, cv2.LINE_AA)


def _foliage(mask: np.ndarray, x: int, y: int, w: int, h: int, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(8, 30))):
        centre = (int(x + rng.normal(0.5, 0.25) * w), int(y + rng.normal(0.5, 0.25) * h))
        cv2.circle(mask, centre, int(rng.integers(1, 2 + max(w, h) // 8)), 255, -1, cv2.LINE_AA)


_Shape = Callable[[np.ndarray, int, int, int, int, np.random.Generator], None]
_CLUTTER: tuple[tuple[_Shape, float], ...] = (
    (_rectangle, 0.3),
    (_ellipse, 0.15),
    (_pole, 0.2),
    (_windows, 0.12),
    (_polygon, 0.13),
    (_foliage, 0.1),
)


def _with_floor(image: np.ndarray, camera: Camera, rng: np.random.Generator) -> np.ndarray:
    height, width = camera.size_hw
    position, distance = camera.ground_of_pixels(np.arange(width)[None], np.arange(height)[:, None])
    on_floor = np.isfinite(distance) & (distance < 200)
    brightness = _floor_pattern(position.astype(np.float32), distance, camera, rng)
    brightness *= 0.8 + 0.4 * noise((height, width), rng, 6)
    # Haze reduces the contrast of distant ground.
    haze = np.clip(np.where(on_floor, distance, 0) / 60, 0, 1).astype(np.float32)[..., None] * np.float32(0.6)
    floor = any_colour(rng, (0, 0.5), (0.15, 0.85)) * brightness[..., None]
    floor = floor * (1 - haze) + image * haze
    return np.where(on_floor[..., None], floor, image)


def _floor_pattern(position: np.ndarray, distance: np.ndarray, camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """Brightness [H, W] of a checked, planked or plain floor; faded where a pixel spans half a tile, against moire."""
    kind = rng.random()
    if kind > 0.65:
        return np.ones(position.shape[:2], np.float32)
    tile = rng.uniform(0.25, 1.4)
    turn = rng.uniform(0, np.pi)
    axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]], np.float32)
    cells = position @ axes / np.float32(tile)
    if kind < 0.35:
        pattern = (np.floor(cells).astype(np.int64).sum(axis=-1) % 2).astype(np.float32)
    else:
        pattern = ((cells % 1) > 0.07).all(axis=-1).astype(np.float32)
    reach = np.where(np.isfinite(distance), distance, 1e6)
    pixel_span = reach**2 / (camera.focal * max(camera.height, 0.1))
    contrast = rng.uniform(0.1, 0.35) * np.clip(1.5 - 3 * pixel_span / tile, 0, 1)
    return (1 + contrast * (pattern - 0.5)).astype(np.float32)


def sample_leaves(size_hw: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Draw overlapping shapes, [H, W, 3] float32 RGB from 0; bright pixels may exceed 1.

    Sizes follow a power law, like those of objects in photographs: edges occur at every scale, and people are not the
    only sharp shapes.
    """
    count = int(np.exp(rng.uniform(np.log(12), np.log(_GREATEST_COUNT))))
    owners = _stacked_shapes(size_hw, count, rng)
    colours = _palette(count + 1, rng)[owners]
    return colours * _shading(owners, count + 1, rng)[..., None]


def sample_collage(size_hw: tuple[int, int], rng: np.random.Generator, behind: np.ndarray | None = None) -> np.ndarray:
    """Draw overlapping shapes cut out of photographs: [H, W, 3] float32 RGB in 0..1.

    Args:
        size_hw: height and width.
        rng: random stream.
        behind: image [H, W, 3] where no shape is; a part of a photograph by default.
    """
    count = int(np.exp(rng.uniform(np.log(3), np.log(80))))
    owners = _stacked_shapes(size_hw, count, rng)
    patches = np.stack([sample_patch(size_hw, rng) for _ in range(_PATCHES)])
    chosen = rng.integers(_PATCHES, size=count + 1)[owners]
    rows, columns = np.arange(size_hw[0])[:, None], np.arange(size_hw[1])
    gains = np.exp(rng.normal(0, 0.3, (count + 1, 3))).astype(np.float32)
    image = np.clip(patches[chosen, rows, columns] * gains[owners], 0, 1)
    return image if behind is None else np.where(owners[..., None] == 0, behind, image)


def _stacked_shapes(size_hw: tuple[int, int], count: int, rng: np.random.Generator) -> np.ndarray:
    """Number [H, W] uint8 of the front shape, 0 for none."""
    height, width = size_hw
    owners = np.zeros(size_hw, np.uint8)
    smallest, is_upright = rng.uniform(0.01, 0.08), rng.random() < 0.4
    shares = rng.dirichlet((1, 1, 1, 0.5))
    for number in range(1, count + 1):
        radius = min(smallest / np.sqrt(max(rng.random(), 1e-4)), 0.6) * width
        centre = rng.random(2) * (width, height)
        turn = rng.normal(0, 3) if is_upright else rng.uniform(0, 180)
        sides = radius * np.exp(rng.normal(0, 0.5, 2))
        kind = int(rng.choice(4, p=shares))
        if kind == 0:
            cv2.ellipse(owners, (_point(centre), sides.tolist(), turn), number, -1)
        elif kind == 1:
            corners = cv2.boxPoints((_point(centre), sides.tolist(), turn))
            cv2.fillConvexPoly(owners, corners.astype(np.int32), number)
        elif kind == 2:
            corners = centre + rng.normal(0, 0.5, (int(rng.integers(3, 9)), 2)) * sides
            cv2.fillPoly(owners, [corners.astype(np.int32)], number)
        else:
            end = centre + 2 * radius * np.array([np.cos(np.radians(turn)), np.sin(np.radians(turn))])
            thickness = int(rng.integers(1, 2 + max(1, int(radius / 4))))
            cv2.line(owners, _pixel(centre), _pixel(end), number, thickness)
    return owners


def _palette(count: int, rng: np.random.Generator) -> np.ndarray:
    """Colours [N, 3], varied around a few base colours."""
    saturation = (0.0, rng.uniform(0.05, 0.7))
    few = np.array([any_colour(rng, saturation, (0.02, 1)) for _ in range(int(rng.integers(3, 9)))])
    if rng.random() < 0.5:
        few = np.concatenate([few, [any_skin(rng)]])
    colours = few[rng.integers(len(few), size=count)]
    return np.clip(colours * np.exp(rng.normal(0, 0.25, (count, 1))) + rng.normal(0, 0.04, (count, 3)), 0, 1).astype(
        np.float32
    )


def _shading(owners: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Brightness [H, W] around 1: a gradient and a mixture of grains for each shape."""
    height, width = owners.shape
    slopes = rng.normal(0, 0.35, (count, 2)).astype(np.float32)
    x, y = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)
    shading = 1 + slopes[owners, 0] * x + slopes[owners, 1] * y[:, None]
    strengths = (rng.gamma(0.5, 0.5, (count, _FIELDS)) * rng.choice((-1, 1), (count, _FIELDS))).astype(np.float32)
    for field in range(_FIELDS):
        grain = noise(owners.shape, rng, int(np.exp(rng.uniform(np.log(3), np.log(60)))), 3)
        shading += strengths[owners, field] * (grain - 0.5)
    return np.clip(shading, 0.1, 2.0)


def _point(place: np.ndarray) -> tuple[float, float]:
    return float(place[0]), float(place[1])


def _pixel(place: np.ndarray) -> tuple[int, int]:
    return int(place[0]), int(place[1])
