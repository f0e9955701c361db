"""Depth buffer for triangle meshes in numpy."""

from dataclasses import dataclass

import numpy as np

NEAR = 0.25
# Scaled inverse depth is an integer in the upper half of a 64-bit key; at depth NEAR it is still below 2**32.
_INVERSE_DEPTH_SCALE = 1e9
_CHUNK = 1_500_000


@dataclass(frozen=True)
class Fragments:
    """The front surface: `pixels` [P] flat indices, `faces` [P] drawn there, `depths` [P] in metres."""

    pixels: np.ndarray
    faces: np.ndarray
    depths: np.ndarray


class DepthBuffer:
    """Draws triangles; each pixel shows the nearest triangle that covers its centre."""

    def __init__(self, size_hw: tuple[int, int]) -> None:
        self.size_hw = size_hw
        self._keys = np.zeros(size_hw[0] * size_hw[1], np.uint64)
        self._faces = 0

    def add(self, projected: np.ndarray, faces: np.ndarray, two_sided: bool | np.ndarray) -> int:
        """Draw a mesh and return the number of its first face.

        Args:
            projected: [V, 3] pixel x, pixel y (centres at integers) and depth in metres.
            faces: [F, 3] vertices, counter-clockwise seen from outside.
            two_sided: whether the backs of all faces, or of each face [F], are also drawn.
        """
        first = self._faces
        self._faces += len(faces)
        doubled_area = _doubled_area(projected, faces)
        facing = np.flatnonzero((np.abs(doubled_area) > 1e-9) & (two_sided | (doubled_area < 0)))
        corners = projected[faces[facing]]
        columns, rows = self._pixel_ranges(corners)
        behind = corners[:, 0, 2] <= NEAR
        for corner in (1, 2):
            behind |= corners[:, corner, 2] <= NEAR
        visible = np.flatnonzero((columns[:, 0] <= columns[:, 1]) & (rows[:, 0] <= rows[:, 1]) & ~behind)
        sizes = (columns[visible, 1] - columns[visible, 0] + 1) * (rows[visible, 1] - rows[visible, 0] + 1)
        # Chunks limit the memory of near, large faces.
        for part in np.split(visible, np.flatnonzero(np.diff(np.cumsum(sizes) // _CHUNK)) + 1):
            numbers = facing[part] + first
            self._draw(corners[part], doubled_area[facing[part]], columns[part], rows[part], numbers)
        return first

    def resolve(self) -> Fragments:
        """Return the front surface drawn so far."""
        pixels = np.flatnonzero(self._keys)
        keys = self._keys[pixels]
        depths = _INVERSE_DEPTH_SCALE / (keys >> np.uint64(32)).astype(np.float64)
        return Fragments(pixels, (keys & np.uint64(0xFFFFFFFF)).astype(np.int64), depths.astype(np.float32))

    def _pixel_ranges(self, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First and last column [F, 2] and row [F, 2] of pixel centres in each face's box, clipped to the image."""
        ranges = []
        for axis, limit in ((0, self.size_hw[1]), (1, self.size_hw[0])):
            a, b, c = (np.clip(corners[:, corner, axis], -1, limit) for corner in range(3))
            lowest = np.ceil(np.minimum(np.minimum(a, b), c))
            highest = np.floor(np.maximum(np.maximum(a, b), c))
            both = np.stack([np.maximum(lowest, 0), np.minimum(highest, limit - 1)], axis=1)
            ranges.append(both.astype(np.int64))
        return ranges[0], ranges[1]

    def _draw(
        self, corners: np.ndarray, doubled_area: np.ndarray, columns: np.ndarray, rows: np.ndarray, numbers: np.ndarray
    ) -> None:
        if not len(corners):
            return
        width = columns[:, 1] - columns[:, 0] + 1
        count = width * (rows[:, 1] - rows[:, 0] + 1)
        # Flat arrays with one entry per pixel of each face's box.
        face = np.repeat(np.arange(len(corners), dtype=np.int32), count)
        within = np.arange(len(face), dtype=np.int32) - np.repeat((np.cumsum(count) - count).astype(np.int32), count)
        width = width.astype(np.int32)[face]
        down = within // width
        right = within - down * width
        planes = _screen_planes(corners, doubled_area, columns[:, 0], rows[:, 0])
        x, y = right.astype(np.float32), down.astype(np.float32)
        first_weight, second_weight = (_on_plane(plane, face, x, y) for plane in planes[:2])
        inside = (first_weight >= -1e-5) & (second_weight >= -1e-5) & (first_weight + second_weight <= 1 + 1e-5)
        hits = np.flatnonzero(inside)
        face = face[hits]
        inverse_depth = _on_plane(planes[2], face, x[hits], y[hits])
        keys = (inverse_depth.astype(np.float64) * _INVERSE_DEPTH_SCALE).astype(np.uint64) << np.uint64(32)
        keys |= numbers[face].astype(np.uint64)
        pixels = (rows[face, 0] + down[hits]) * self.size_hw[1] + columns[face, 0] + right[hits]
        np.maximum.at(self._keys, pixels, keys)


def barycentric(projected: np.ndarray, faces: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Compute perspective-correct weights [P, 3] float32 of the corners of faces [P, 3] at pixels x [P], y [P]."""
    right, down, depth = (projected[faces, axis] for axis in range(3))
    right, down = (right - x[:, None]).astype(np.float32), (down - y[:, None]).astype(np.float32)
    weights = np.empty((len(x), 3), np.float32)
    for corner in range(3):
        p, q = (corner + 1) % 3, (corner + 2) % 3
        weights[:, corner] = (right[:, p] * down[:, q] - right[:, q] * down[:, p]) / depth[:, corner]
    return weights / (weights[:, 0] + weights[:, 1] + weights[:, 2])[:, None]


def _doubled_area(projected: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Twice the signed area [F]; negative for faces seen from outside, since y points down."""
    x, y = np.ascontiguousarray(projected[:, 0]), np.ascontiguousarray(projected[:, 1])
    a, b, c = faces[:, 0], faces[:, 1], faces[:, 2]
    xa, ya = x[a], y[a]
    return (x[b] - xa) * (y[c] - ya) - (y[b] - ya) * (x[c] - xa)


_Plane = tuple[np.ndarray, np.ndarray, np.ndarray]


def _screen_planes(corners: np.ndarray, doubled_area: np.ndarray, x0: np.ndarray, y0: np.ndarray) -> list[_Plane]:
    """Compute the screen-linear weights of the first and second corner and the inverse depth.

    Each is a tuple of the slope in x, the slope in y and the value at (x0, y0).
    """
    weights = []
    for corner in range(3):
        p, q = corners[:, (corner + 1) % 3], corners[:, (corner + 2) % 3]
        slope_x = (p[:, 1] - q[:, 1]) / doubled_area
        slope_y = (q[:, 0] - p[:, 0]) / doubled_area
        weights.append((slope_x, slope_y, slope_x * (x0 - p[:, 0]) + slope_y * (y0 - p[:, 1])))
    inverse = 1 / corners[:, :, 2]
    inverse_depth = [np.sum([w[term] * inverse[:, k] for k, w in enumerate(weights)], axis=0) for term in range(3)]
    return [tuple(term.astype(np.float32) for term in plane) for plane in (*weights[:2], inverse_depth)]


def _on_plane(plane: _Plane, face: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return plane[0][face] * x + plane[1][face] * y + plane[2][face]
