"""A pinhole camera over a flat ground, and random framings of the people in front of it."""

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np

from transpose.config.dataset import SyntheticSource
from transpose.synthetic.rotation import about_x, about_z

# The camera's own axes (x right, y down, z forwards) in a world of x right, y forwards, z up.
_LEVEL = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


@dataclass(frozen=True)
class Camera:
    """A camera above the world's origin, looking along y. Degrees, metres; the focal length in pixels."""

    height: float
    pitch: float
    roll: float
    focal: float
    size_hw: tuple[int, int]

    @property
    def rotation(self) -> np.ndarray:
        """[3, 3] from world axes to camera axes."""
        return about_z(self.roll) @ about_x(self.pitch) @ _LEVEL

    @property
    def centre(self) -> np.ndarray:
        """[2] principal point x, y in image pixels (pixel centres at integers)."""
        return np.array([self.size_hw[1] - 1, self.size_hw[0] - 1]) / 2

    def project(self, points: np.ndarray) -> np.ndarray:
        """Project world points [N, 3] to image x, image y and depth in metres [N, 3], negative behind the camera."""
        seen = (points - np.array([0, 0, self.height])) @ self.rotation.T
        depth = np.where(np.abs(seen[:, 2]) < 1e-6, 1e-6, seen[:, 2])
        return np.column_stack([seen[:, :2] / depth[:, None] * self.focal + self.centre, seen[:, 2]])

    def ground_of_pixels(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Intersect the rays of pixels x, y [...] with the ground: positions [..., 2], depths [...] (inf if none)."""
        right, below = (x - self.centre[0]) / self.focal, (y - self.centre[1]) / self.focal
        rays = [right * axis[0] + below * axis[1] + axis[2] for axis in self.rotation.T]
        down = rays[2] < -1e-4
        distance = -self.height / np.where(down, rays[2], -1.0)
        position = np.stack([rays[0] * distance, rays[1] * distance], axis=-1)
        return position, np.where(down, distance, np.inf)


def aimed_camera(
    target: np.ndarray, image_y: float, height: float, roll: float, focal: float, size_hw: tuple[int, int]
) -> Camera:
    """Return a camera pitched to show a world point [3] in the given image row (ignoring the roll)."""
    below = math.degrees(math.atan2(height - target[2], target[1]))
    offset = math.degrees(math.atan2(image_y - (size_hw[0] - 1) / 2, focal))
    return Camera(height, below - offset, roll, focal, size_hw)


class Framing(Enum):
    """The kinds of image."""

    WHOLE = "whole"
    BUST = "bust"
    TRUNCATED = "truncated"
    SMALL = "small"
    CROWD = "crowd"


class AimPoint(Enum):
    """The part of the first person that the camera is aimed at."""

    MIDDLE = "middle"
    FACE = "face"
    HIPS = "hips"


@dataclass(frozen=True)
class CameraShot:
    """Position and size of the first person in the image.

    `person_height`: height of a standing person as a share of the image height. `x`, `y`: position of the aim as shares
    of the image width and height.
    """

    person_height: float
    aim: AimPoint
    x: float
    y: float


def framing_shares(settings: SyntheticSource) -> dict[Framing, float]:
    """Return the probability of each framing; whole bodies get the remainder."""
    shares = {
        Framing.BUST: settings.bust_share,
        Framing.TRUNCATED: settings.truncated_share,
        Framing.SMALL: settings.small_share,
        Framing.CROWD: settings.crowd_share,
    }
    return {Framing.WHOLE: max(0.0, 1 - sum(shares.values())), **shares}


def sample_shot(framing: Framing, people: int, rng: np.random.Generator) -> CameraShot:
    """Draw the view of the first of `people` persons."""
    if framing is Framing.BUST:
        return CameraShot(_log_uniform(rng, 1.2, 3.0), AimPoint.FACE, rng.uniform(0.25, 0.75), rng.uniform(0.15, 0.42))
    if framing is Framing.TRUNCATED:
        return _truncated_shot(rng)
    if framing is Framing.SMALL:
        return CameraShot(_log_uniform(rng, 0.08, 0.28), AimPoint.MIDDLE, rng.uniform(0.1, 0.9), rng.uniform(0.3, 0.8))
    if framing is Framing.CROWD:
        return CameraShot(_log_uniform(rng, 0.12, 0.3), AimPoint.MIDDLE, rng.uniform(0.3, 0.7), rng.uniform(0.25, 0.5))
    height = _log_uniform(rng, 0.45, 0.98) if people <= 2 else _log_uniform(rng, 0.38, 0.8)
    room = 0.5 * max(0.0, 1 - height) + 0.02
    return CameraShot(height, AimPoint.MIDDLE, rng.uniform(0.2, 0.8), 0.5 + rng.uniform(-room, room))


def sample_varied_shot(framing: Framing, people: int, rng: np.random.Generator) -> CameraShot:
    """Draw the view of the first of `people` persons like `sample_shot`, but with a wider range of distances."""
    if framing is Framing.BUST:
        return CameraShot(_log_uniform(rng, 1.0, 4.5), AimPoint.FACE, rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.6))
    if framing is Framing.TRUNCATED and rng.random() < 0.6:
        aim = AimPoint.HIPS if rng.random() < 0.5 else AimPoint.MIDDLE
        return CameraShot(_log_uniform(rng, 0.6, 2.2), aim, rng.uniform(-0.05, 1.05), rng.uniform(0.05, 1.0))
    return sample_shot(framing, people, rng)


def _truncated_shot(rng: np.random.Generator) -> CameraShot:
    border = rng.random()
    if border < 0.4:
        x = rng.uniform(-0.06, 0.06)
        height = _log_uniform(rng, 0.5, 1.2)
        return CameraShot(height, AimPoint.MIDDLE, x if rng.random() < 0.5 else 1 - x, rng.uniform(0.4, 0.6))
    if border < 0.85:
        return CameraShot(_log_uniform(rng, 1.0, 1.6), AimPoint.FACE, rng.uniform(0.15, 0.85), rng.uniform(0.12, 0.38))
    return CameraShot(_log_uniform(rng, 0.9, 1.8), AimPoint.HIPS, rng.uniform(0.2, 0.8), rng.uniform(0.1, 0.4))


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
