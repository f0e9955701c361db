"""Rotation matrices [3, 3] float64 for column vectors, right-handed, angles in degrees."""

import math

import numpy as np


def about_x(degrees: float) -> np.ndarray:
    """Return the rotation about the x axis."""
    c, s = _cos_sin(degrees)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def about_y(degrees: float) -> np.ndarray:
    """Return the rotation about the y axis."""
    c, s = _cos_sin(degrees)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def about_z(degrees: float) -> np.ndarray:
    """Return the rotation about the z axis."""
    c, s = _cos_sin(degrees)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def about_axis(axis: np.ndarray, degrees: float) -> np.ndarray:
    """Return the rotation about an axis [3] of any length (Rodrigues' formula)."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    c, s = _cos_sin(degrees)
    return np.eye(3) + s * cross + (1 - c) * cross @ cross


def between(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the smallest rotation from direction `start` [3] to direction `end` [3]."""
    start, end = start / np.linalg.norm(start), end / np.linalg.norm(end)
    axis = np.cross(start, end)
    sine, cosine = float(np.linalg.norm(axis)), float(start @ end)
    if sine < 1e-8:
        if cosine > 0:
            return np.eye(3)
        # Opposite directions: any perpendicular axis is valid.
        axis = np.cross(start, np.eye(3)[np.argmin(np.abs(start))])
    return about_axis(axis, math.degrees(math.atan2(sine, cosine)))


def fraction(rotation: np.ndarray, share: float) -> np.ndarray:
    """Return the rotation about the same axis by a share of its angle."""
    angle = math.acos(min(1.0, max(-1.0, (float(np.trace(rotation)) - 1) / 2)))
    axis = np.array([rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0], rotation[1, 0] - rotation[0, 1]])
    if angle < 1e-6 or np.linalg.norm(axis) < 1e-8:
        return np.eye(3)
    return about_axis(axis, math.degrees(angle) * share)


def _cos_sin(degrees: float) -> tuple[float, float]:
    angle = math.radians(degrees)
    return math.cos(angle), math.sin(angle)
