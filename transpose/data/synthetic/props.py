"""Objects in a scene: seats, and obstacles in front of people."""

from dataclasses import dataclass

import numpy as np

from transpose.data.synthetic.colours import any_colour
from transpose.data.synthetic.rotation import about_z


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
