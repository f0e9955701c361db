"""Flat shapes in front of people, like tables, bags or other people."""

import cv2
import numpy as np

from transpose.data.synthetic.camera import Camera

COVER_DEPTH = 0.26
"""Metres from the camera; the least depth at which a person is drawn is 0.25."""


def sample_cover(camera: Camera, people: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Draw shapes that occlude parts of people.

    Args:
        camera: of the image.
        people: keypoints [K, 3] in the world of the people who may be covered.

    Returns:
        Opacity [H, W] float32, 0 or 1 except at edges.
    """
    height, width = camera.size_hw
    cover = np.zeros((height, width), np.uint8)
    for keypoints in people:
        chance = rng.random()
        if chance > 0.6:
            continue
        projected = camera.project(keypoints)
        points = projected[projected[:, 2] > 0, :2]
        points = points[((points >= 0) & (points < (width, height))).all(axis=1)]
        if len(points) < 3:
            continue
        lowest, highest = points.min(axis=0), points.max(axis=0)
        if chance < 0.3:
            _cover_below(cover, lowest, highest, rng)
        else:
            for _ in range(int(rng.integers(1, 4))):
                _cover_part(cover, lowest, highest, rng)
    return cv2.GaussianBlur(cover, (0, 0), rng.uniform(0.4, 1.2)).astype(np.float32) / 255


def _cover_below(cover: np.ndarray, lowest: np.ndarray, highest: np.ndarray, rng: np.random.Generator) -> None:
    """Cover the area below an uneven line, like a table or a wall."""
    span = highest - lowest
    level = lowest[1] + rng.uniform(0.3, 0.9) * span[1]
    left, right = lowest[0] - rng.uniform(0.1, 3) * span[0], highest[0] + rng.uniform(0.1, 3) * span[0]
    count = int(rng.integers(2, 8))
    x = np.linspace(left, right, count)
    y = level + rng.normal(0, rng.uniform(0, 0.12), count) * span[1]
    bottom = max(cover.shape[0], highest[1]) if rng.random() < 0.6 else level + rng.uniform(0.2, 0.8) * span[1]
    outline = np.column_stack([np.concatenate([x, [right, left]]), np.concatenate([y, [bottom, bottom]])])
    cv2.fillPoly(cover, [outline.astype(np.int32)], 255, cv2.LINE_AA)


def _cover_part(cover: np.ndarray, lowest: np.ndarray, highest: np.ndarray, rng: np.random.Generator) -> None:
    """Cover a part of a person with one shape."""
    size = float(np.linalg.norm(highest - lowest))
    centre = lowest + rng.random(2) * (highest - lowest)
    sides = size * rng.uniform(0.08, 0.4) * np.exp(rng.normal(0, 0.4, 2))
    place, turn = (float(centre[0]), float(centre[1])), rng.uniform(0, 180)
    kind = rng.random()
    if kind < 0.35:
        cv2.ellipse(cover, (place, sides.tolist(), turn), 255, -1, cv2.LINE_AA)
    elif kind < 0.65:
        corners = centre + rng.normal(0, 0.5, (int(rng.integers(3, 9)), 2)) * sides
        cv2.fillPoly(cover, [corners.astype(np.int32)], 255, cv2.LINE_AA)
    elif kind < 0.85:
        corners = cv2.boxPoints((place, sides.tolist(), turn if rng.random() < 0.5 else 0.0))
        cv2.fillConvexPoly(cover, corners.astype(np.int32), 255, cv2.LINE_AA)
    else:
        reach = size * np.array([np.cos(np.radians(turn)), np.sin(np.radians(turn))])
        start, end = (centre - reach).astype(int).tolist(), (centre + reach).astype(int).tolist()
        cv2.line(cover, start, end, 255, max(1, int(size * rng.uniform(0.01, 0.1))), cv2.LINE_AA)
