"""Mesh and keypoints of one dressed and posed person."""

from dataclasses import dataclass, replace

import numpy as np

from transpose.data.synthetic.articulation import posed
from transpose.data.synthetic.body import Body, Layer
from transpose.data.synthetic.clothing import Outfit, is_bottom, is_top, sample_outfit, thickness, varied_outfit
from transpose.data.synthetic.pose import Pose, sample_pose, with_busy_hands
from transpose.data.synthetic.rotation import about_z


@dataclass(frozen=True)
class Figure:
    """A person in the scene: `vertices` [V, 3], unit `normals` [V, 3], `keypoints` [17, 3], drawn faces `shown` [F'].

    World frame in metres: x to the right of the image, y away from the camera, z up, the ground at z = 0.
    """

    body: Body
    outfit: Outfit
    vertices: np.ndarray
    normals: np.ndarray
    keypoints: np.ndarray
    shown: np.ndarray
    is_seated: bool

    def moved(self, offset: np.ndarray) -> "Figure":
        """Return the person moved by `offset` [3] metres."""
        return replace(self, vertices=self.vertices + offset.astype(np.float32), keypoints=self.keypoints + offset)


def sample_figure(body: Body, rng: np.random.Generator, is_varied: bool = False) -> Figure:
    """Draw a person at the origin; `is_varied` adds cloth texture, and sometimes glasses and busy hands."""
    person = int(rng.integers(len(body.shapes)))
    outfit = sample_outfit(rng, bool(body.is_female[person]))
    outfit = varied_outfit(outfit, rng) if is_varied else outfit
    facing = rng.normal(0, 45) if rng.random() < 0.55 else rng.uniform(0, 360)
    pose = sample_pose(rng)
    pose = with_busy_hands(pose, rng) if is_varied else pose
    return dressed_figure(body, body.shapes[person], outfit, pose, facing)


def dressed_figure(body: Body, shape: np.ndarray, outfit: Outfit, pose: Pose, facing: float) -> Figure:
    """Build a person from shape coefficients [S], an outfit, a pose and a rotation away from the camera in degrees."""
    vertices, joints = body.shaped(shape)
    vertices = vertices + body.normals * thickness(outfit, body.surface, body.layers)[:, None]
    vertices, normals = posed(body, vertices, joints, pose)
    turn = about_z(facing).astype(np.float32)
    vertices, normals = vertices @ turn.T, normals @ turn.T
    skin = vertices[body.layers == Layer.SKIN]
    offset = np.array([-skin[:, 0].mean(), -skin[:, 1].mean(), pose.lift - skin[:, 2].min()], np.float32)
    vertices = vertices + offset
    return Figure(
        body=body,
        outfit=outfit,
        vertices=vertices,
        normals=normals,
        keypoints=body.keypoints(vertices),
        shown=_shown_faces(body, outfit),
        is_seated=pose.is_seated,
    )


def _shown_faces(body: Body, outfit: Outfit) -> np.ndarray:
    layers = body.face_layers
    clothed = is_top(outfit, body.surface) | is_bottom(outfit, body.surface)
    a, b, c = clothed[body.faces.T]
    shown = (layers <= Layer.RIGHT_EYE) | ((layers == Layer.TIGHTS) & (a | b | c))
    if outfit.skirt_length is None and (not outfit.has_long_hair or outfit.has_hat):
        return np.flatnonzero(shown)
    centres = body.face_centres
    if outfit.skirt_length is not None:
        shown |= (layers == Layer.SKIRT) & (centres[:, 2] > 0.26 - 0.95 * outfit.skirt_length)
    if outfit.has_long_hair and not outfit.has_hat:
        eye_height = body.rest[body.layers == Layer.LEFT_EYE, 2].mean()
        in_face = (centres[:, 1] < -0.075) & (np.abs(centres[:, 0]) < 0.075) & (centres[:, 2] < eye_height + 0.055)
        shown |= (layers == Layer.HAIR) & ~in_face
    return np.flatnonzero(shown)
