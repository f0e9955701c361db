"""Mesh and keypoints of one dressed person, posed by joint angles with linear blend skinning."""

import math
from dataclasses import dataclass, replace

import numpy as np

from transpose.synthetic.body import Body, Layer, Mark
from transpose.synthetic.clothing import Outfit, is_bottom, is_top, sample_outfit, thickness, varied_outfit
from transpose.synthetic.pose import Arm, Leg, Pose, sample_pose, with_busy_hands
from transpose.synthetic.rotation import about_axis, about_x, about_y, about_z, between, fraction

_SPINE = ("spine05", "spine04", "spine03", "spine02", "spine01")
_NECK = ("neck01", "neck02", "neck03", "head")


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


def posed(body: Body, vertices: np.ndarray, joints: np.ndarray, pose: Pose) -> tuple[np.ndarray, np.ndarray]:
    """Pose a shaped person.

    Args:
        body: the body model.
        vertices: [V, 3] float32 rest-pose vertices of the person, including clothes.
        joints: [B, 3] rest-pose joints of the person.
        pose: joint angles.

    Returns:
        Vertices [V, 3] and unit normals [V, 3], float32, in metres.
    """
    rotations = _bone_rotations(body, joints, pose)
    vertices = _with_curled_fingers(body, vertices, joints, pose)
    # A thin product: every row is summed over the bones in order, independent of the number of threads.
    blended = (body.weights @ _bone_transforms(body, joints, rotations).reshape(-1, 12)).reshape(-1, 3, 4)
    moved = np.einsum("vij,vj->vi", blended[:, :, :3], vertices) + blended[:, :, 3]
    normals = np.einsum("vij,vj->vi", blended[:, :, :3], body.normals)
    return moved, normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6)


def _bone_rotations(body: Body, joints: np.ndarray, pose: Pose) -> dict[str, np.ndarray]:
    torso, head = pose.torso, pose.head
    spine = fraction(about_z(torso.yaw) @ about_y(torso.roll) @ about_x(torso.pitch), 1 / len(_SPINE))
    neck = fraction(about_z(head.yaw) @ about_x(head.pitch) @ about_y(head.roll), 1 / len(_NECK))
    rotations = {"root": pose.root, **dict.fromkeys(_SPINE, spine), **dict.fromkeys(_NECK, neck)}
    for side, sign, arm, leg in zip("LR", (1, -1), pose.arms, pose.legs, strict=True):
        rotations |= _arm_rotations(body, joints, side, sign, arm) | _leg_rotations(side, sign, leg)
    return rotations


def _arm_rotations(body: Body, joints: np.ndarray, side: str, sign: int, arm: Arm) -> dict[str, np.ndarray]:
    shoulder, elbow, wrist = (joints[body.bone(f"{name}.{side}")] for name in ("upperarm01", "lowerarm01", "wrist"))
    upper, lower = (elbow - shoulder).astype(float), (wrist - elbow).astype(float)
    elevation, azimuth = math.radians(arm.elevation), math.radians(arm.azimuth)
    direction = np.array(
        [
            sign * (math.sin(elevation) * math.cos(azimuth) + 0.05),
            -math.sin(elevation) * math.sin(azimuth),
            -math.cos(elevation),
        ]
    )
    lift = between(upper, direction)
    # The shoulder girdle rotates with a lifted arm.
    girdle = fraction(lift, 0.11 if arm.elevation > 60 else 0.05)
    twist = about_axis(upper, sign * arm.twist / 2)
    rest_bend = math.degrees(math.acos(upper @ lower / (np.linalg.norm(upper) * np.linalg.norm(lower))))
    hinge = np.cross(upper, lower)
    return {
        f"clavicle.{side}": girdle,
        f"shoulder01.{side}": girdle,
        f"upperarm01.{side}": (girdle @ girdle).T @ lift @ twist,
        f"upperarm02.{side}": twist,
        f"lowerarm01.{side}": about_axis(hinge, arm.elbow - rest_bend),
        f"lowerarm02.{side}": about_axis(lower, sign * arm.forearm_twist),
        f"wrist.{side}": about_axis(hinge, arm.wrist_bend),
    }


def _leg_rotations(side: str, sign: int, leg: Leg) -> dict[str, np.ndarray]:
    # In the rest pose each leg is abducted by 4 degrees.
    hip = about_z(sign * leg.twist) @ about_y(-sign * (leg.abduction - 4)) @ about_x(-leg.flexion)
    return {
        f"upperleg01.{side}": hip,
        f"lowerleg01.{side}": about_x(leg.knee),
        f"foot.{side}": about_x(leg.ankle),
    }


def _bone_transforms(body: Body, joints: np.ndarray, rotations: dict[str, np.ndarray]) -> np.ndarray:
    """Compute the world transforms [B, 3, 4] float32 of the bones, parents first."""
    transforms = np.empty((len(body.bones), 3, 4))
    for bone, (name, parent) in enumerate(zip(body.bones, body.parents, strict=True)):
        local = np.empty((3, 4))
        local[:, :3] = rotations.get(name, np.eye(3))
        local[:, 3] = joints[bone] - local[:, :3] @ joints[bone]
        if parent >= 0:
            above = transforms[parent]
            local[:, 3] = above[:, :3] @ local[:, 3] + above[:, 3]
            local[:, :3] = above[:, :3] @ local[:, :3]
        transforms[bone] = local
    return transforms.astype(np.float32)


def _with_curled_fingers(body: Body, vertices: np.ndarray, joints: np.ndarray, pose: Pose) -> np.ndarray:
    """Bend the fingers, which have no bones, around two knuckle lines towards the palm."""
    vertices = vertices.copy()
    lateral = body.surface[:, Mark.X]
    for side, sign, arm in zip("LR", (1, -1), pose.arms, strict=True):
        hand = np.flatnonzero((body.surface[:, Mark.HAND] > 0.5) & (sign * lateral > 0))
        elbow, wrist = joints[body.bone(f"lowerarm01.{side}")], joints[body.bone(f"wrist.{side}")]
        forearm = (wrist - elbow) / np.linalg.norm(wrist - elbow)
        size = float(((vertices[hand] - wrist) @ forearm).max())
        for knuckles in (0.52, 0.72):
            pivot = wrist + forearm * size * knuckles
            beyond = hand[(vertices[hand] - pivot) @ forearm > 0]
            # In the rest pose the palms face down and inwards; the hinge is along the body's y axis.
            turn = about_axis(np.array([0.0, 1.0, 0.0]), sign * arm.finger_curl / 2).astype(np.float32)
            vertices[beyond] = (vertices[beyond] - pivot) @ turn.T + pivot
    return vertices
