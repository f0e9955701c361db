"""A pinhole camera over a flat ground."""

import math
from dataclasses import dataclass

import numpy as np

from transpose.data.synthetic.rotation import about_x, about_z

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
