"""Objects in a scene: seats, obstacles, and flat shapes in front of people."""

from dataclasses import dataclass

import cv2
import numpy as np

from transpose.synthetic.camera import Camera
from transpose.synthetic.rotation import about_z
from transpose.synthetic.texture import any_colour

COVER_DEPTH = 0.26
"""Metres from the camera; the least depth at which a person is drawn is 0.25."""


@dataclass(frozen=True)
class Prop:
    """An upright prism: corners [V, 3] in metres, faces [F, 3] with outward normals [F, 3], one colour [3]."""

    vertices: np.ndarray
    faces: np.ndarray
    normals: np.ndarray
    colour: np.ndarray


def prism(centre: np.ndarray, size: np.ndarray, turn: float, sides: int, colour: np.ndarray) -> Prop:
    """Build a prism at `centre` [3] of `size` [3] metres, turned in degrees; 4 sides for a box, 12 for a cylinder."""
    angles = 2 * np.pi * (np.arange(sides) + 0.5) / sides
    outline = np.column_stack([np.cos(angles), np.sin(angles)]) / (2 * np.cos(np.pi / sides))
    rings = np.concatenate([np.column_stack([outline, np.full(sides, level)]) for level in (-0.5, 0.5)])
    vertices = (rings * size) @ about_z(turn).T + centre
    this, following = np.arange(sides), (np.arange(sides) + 1) % sides
    lower = np.column_stack([this, following, following + sides])
    upper = np.column_stack([this, following + sides, this + sides])
    walls = np.concatenate([lower, upper])
    fan = np.arange(1, sides - 1)
    top = sides + np.column_stack([np.zeros_like(fan), fan, fan + 1])
    faces = np.concatenate([walls, top, (top - sides)[:, ::-1]])
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    normals = np.cross(b - a, c - a)
    normals = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    return Prop(vertices, faces, normals.astype(np.float32), colour)


def seat_under(keypoints: np.ndarray, rng: np.random.Generator) -> Prop:
    """Draw a box under a seated person with keypoints [17, 3] in the world."""
    left_hip, right_hip = 11, 12
    hips = keypoints[[left_hip, right_hip]].mean(axis=0)
    top = max(0.1, hips[2] - 0.11)
    centre = np.array([hips[0], hips[1] + 0.02, top / 2])
    return prism(centre, np.array([0.5, 0.48, top]), rng.uniform(0, 25), 4, any_colour(rng))


def obstacle_before(place: np.ndarray, rng: np.random.Generator) -> Prop:
    """Draw a box, table, post or barrel between the camera and a person at ground position [2]."""
    nearer = place[1] - rng.uniform(0.45, 1.2)
    x = place[0] * nearer / place[1] + rng.normal(0, 0.35)
    turn = rng.uniform(0, 360)
    kind = rng.random()
    if kind < 0.5:
        size = np.array([rng.uniform(0.15, 1.2), rng.uniform(0.1, 0.5), rng.uniform(0.4, 1.2)])
        return prism(np.array([x, nearer, size[2] / 2]), size, turn, 4, any_colour(rng))
    if kind < 0.7:
        height = rng.uniform(0.65, 1.1)
        size = np.array([rng.uniform(0.7, 2.0), rng.uniform(0.3, 0.5), 0.06])
        return prism(np.array([x, nearer, height]), size, rng.normal(0, 15), 4, any_colour(rng))
    width = rng.uniform(0.05, 0.12) if kind < 0.85 else rng.uniform(0.25, 0.7)
    size = np.array([width, width, rng.uniform(1.0, 3.0) if kind < 0.85 else rng.uniform(0.5, 1.1)])
    return prism(np.array([x, nearer, size[2] / 2]), size, turn, 12, any_colour(rng))


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
