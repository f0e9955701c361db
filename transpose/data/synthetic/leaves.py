"""Dead-leaves images: overlapping shapes of all sizes, each with a colour, a brightness gradient and a grain."""

import cv2
import numpy as np

from transpose.data.synthetic.colours import any_colour, any_skin
from transpose.data.synthetic.texture import noise

_FIELDS = 3
_GREATEST_COUNT = 250


def sample_leaves(size_hw: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Draw overlapping shapes, [H, W, 3] float32 RGB from 0; bright pixels may exceed 1.

    Sizes follow a power law, like those of objects in photographs: edges occur at every scale, and people are not the
    only sharp shapes.
    """
    count = int(np.exp(rng.uniform(np.log(12), np.log(_GREATEST_COUNT))))
    owners = _stacked_shapes(size_hw, count, rng)
    colours = _palette(count + 1, rng)[owners]
    return colours * _shading(owners, count + 1, rng)[..., None]


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
