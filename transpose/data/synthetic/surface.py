"""Surface marks: the position of each vertex on the body, by which clothing, hair and face are coloured."""

from enum import IntEnum

import numpy as np


class Mark(IntEnum):
    """Columns of the surface array [V, 12].

    X, Y, Z: rest-pose position in metres. ARM: 0 shoulder, 0.5 elbow, 1 wrist, beyond 1 hand, -1 off the arm.
    LEG: 0 hip, 1 ankle, -1 off the leg. The others are masks in 0..1.
    """

    X = 0
    Y = 1
    Z = 2
    ARM = 3
    LEG = 4
    FOOT = 5
    HAND = 6
    SCALP = 7
    LIPS = 8
    BROW = 9
    IRIS = 10
    BEARD = 11


def rest_surface(data: dict[str, np.ndarray], bones: tuple[str, ...], weights: np.ndarray) -> np.ndarray:
    """Compute surface marks [V, 12] float32 from the arrays of the body file and its skinning weights [V, B]."""
    rest, group = data["mean"], data["group"]
    leading = np.array(bones)[weights.argmax(axis=1)]
    arm, leg = _arm_positions(data, bones, leading), _leg_positions(data, bones, leading)
    eye_height = float(rest[group == 1, 2].mean())
    head = (group == 0) & np.isin(leading, ("head", "neck03"))
    lateral, depth, above_eyes = np.abs(rest[:, 0]), rest[:, 1], rest[:, 2] - eye_height
    columns = {
        Mark.X: rest[:, 0],
        Mark.Y: rest[:, 1],
        Mark.Z: rest[:, 2],
        Mark.ARM: arm,
        Mark.LEG: leg,
        Mark.FOOT: np.isin(leading, ("foot.L", "foot.R")) | (leg > 0.97),
        Mark.HAND: np.isin(leading, ("wrist.L", "wrist.R")) & (arm > 1.0),
        Mark.SCALP: head & _is_scalp(depth, above_eyes) & (data["m_ears"] <= 100),
        Mark.LIPS: data["m_lips"] / 255,
        Mark.BROW: (group == 0)
        & (np.abs(above_eyes - 0.026) < 0.0055)
        & (lateral > 0.012)
        & (lateral < 0.052)
        & (depth < -0.10),
        Mark.IRIS: _iris(rest, group),
        Mark.BEARD: head & (above_eyes < -0.055) & (above_eyes > -0.15) & (depth < -0.06),
    }
    return np.stack([columns[mark] for mark in Mark], axis=1).astype(np.float32)


def _arm_positions(data: dict[str, np.ndarray], bones: tuple[str, ...], leading: np.ndarray) -> np.ndarray:
    position = np.full(len(leading), -1.0)
    for side in "LR":
        shoulder, elbow, wrist = (data["jmean"][bones.index(f"{name}.{side}")] for name in _ARM_STARTS)
        on_arm = np.isin(leading, [f"{name}.{side}" for name in (*_ARM_STARTS, "upperarm02", "lowerarm02")])
        upper = _share_along(data["mean"], shoulder, elbow)
        lower = np.clip(_share_along(data["mean"], elbow, wrist), 0, 2)
        position[on_arm] = np.where(upper < 1, 0.5 * upper, 0.5 + 0.5 * lower)[on_arm]
    return position


_ARM_STARTS = ("upperarm01", "lowerarm01", "wrist")
_LEG_BONES = ("upperleg01", "upperleg02", "lowerleg01", "lowerleg02", "foot")


def _leg_positions(data: dict[str, np.ndarray], bones: tuple[str, ...], leading: np.ndarray) -> np.ndarray:
    position = np.full(len(leading), -1.0)
    for side in "LR":
        hip, ankle = (data["jmean"][bones.index(f"{name}.{side}"), 2] for name in ("upperleg01", "foot"))
        on_leg = np.isin(leading, [f"{name}.{side}" for name in _LEG_BONES])
        position[on_leg] = np.clip((hip - data["mean"][on_leg, 2]) / (hip - ankle), 0, 1.3)
    return position


def _is_scalp(depth: np.ndarray, above_eyes: np.ndarray) -> np.ndarray:
    """Area above the hairline, which is high at the forehead and lower towards the nape."""
    crown = above_eyes > 0.065 + 0.35 * np.clip(-0.05 - depth, -0.2, 0)
    nape = (depth > -0.035) & (above_eyes > -0.10 + np.clip(-depth, -0.2, 0.05))
    temple = (depth > -0.06) & (above_eyes > 0.02)
    return crown | nape | temple


def _iris(rest: np.ndarray, group: np.ndarray) -> np.ndarray:
    iris = np.zeros(len(rest), bool)
    for eye in (group == 1, group == 2):
        ball = rest[eye] - (rest[eye].min(axis=0) + rest[eye].max(axis=0)) / 2
        iris[eye] = (ball[:, 1] < 0) & (np.hypot(ball[:, 0], ball[:, 2]) < 0.0075)
    return iris


def _share_along(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    axis = end - start
    return (points - start) @ axis / (axis @ axis)
