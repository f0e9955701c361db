"""Render a scene: depth buffer, shading, shadows and camera effects."""

from dataclasses import dataclass

import cv2
import numpy as np

from transpose.synthetic.background import sample_background, sample_cluttered_background, sample_collage, sample_leaves
from transpose.synthetic.body import Layer, Mark
from transpose.synthetic.camera import Camera
from transpose.synthetic.clothing import colours
from transpose.synthetic.figure import Figure
from transpose.synthetic.objects import COVER_DEPTH, Prop
from transpose.synthetic.photograph import photograph_plainly, photograph_with_variety
from transpose.synthetic.rasterise import DepthBuffer, barycentric
from transpose.synthetic.scene import Scene

NO_PERSON = -1


@dataclass(frozen=True)
class Rendering:
    """An image and the visible surface in each of its pixels.

    `image` [H, W, 3] uint8 RGB. `owners` [H, W] int16: index of the visible figure at the pixel centre, or NO_PERSON.
    `depths` [H, W] float32 metres, inf for the background. `bones` [H, W] int16: bone of the visible surface, -1
    outside figures.
    """

    image: np.ndarray
    owners: np.ndarray
    depths: np.ndarray
    bones: np.ndarray


@dataclass(frozen=True)
class Light:
    """A distant lamp and the sky: unit direction [3] towards the lamp, strengths, tint [3]."""

    direction: np.ndarray
    ambient: float
    key: float
    tint: np.ndarray

    def on(self, normals: np.ndarray) -> np.ndarray:
        """Compute the light [N, 3] on surfaces with unit normals [N, 3]."""
        lamp = self.key * np.clip(normals @ self.direction, 0, 1)
        sky = self.ambient * (0.8 + 0.2 * normals[:, 2])
        return (lamp + sky)[:, None] * self.tint


def render(scene: Scene, antialias: int, rng: np.random.Generator) -> Rendering:
    """Render a scene with `antialias` x `antialias` samples per pixel."""
    height, width = scene.camera.size_hw
    background = (sample_cluttered_background if scene.is_varied else sample_background)(scene.camera, rng)
    light = _sample_light(float(background.mean()), scene.is_varied, rng)
    background = background * _shadow(scene, light, rng)[..., None]
    fine = _FineGrid(scene, antialias)
    layer = np.zeros((height * antialias * width * antialias, 4), np.float32)
    for drawn in fine.drawn:
        layer[fine.fragments.pixels[drawn.where], :3] = drawn.lit(fine, light)
    layer[fine.fragments.pixels, 3] = 1
    layer = layer.reshape(height * antialias, width * antialias, 4)
    layer = cv2.resize(layer, (width, height), interpolation=cv2.INTER_AREA)
    image = background * (1 - layer[..., 3:]) + layer[..., :3]
    if scene.cover is not None:
        opacity = scene.cover[..., None]
        front = (sample_collage if rng.random() < 0.5 else sample_leaves)((height, width), rng)
        image = image * (1 - opacity) + opacity * np.clip(front, 0, 1)
    photograph = photograph_with_variety if scene.is_varied else photograph_plainly
    return Rendering(photograph(image, rng), *fine.maps())


def seen_surfaces(scene: Scene, antialias: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return owners, depths and bones of `Rendering` without drawing the image, which takes half of the time."""
    return _FineGrid(scene, antialias).maps()


class _FineGrid:
    """The front surfaces of all figures and props on the antialiased grid."""

    def __init__(self, scene: Scene, antialias: int) -> None:
        self.antialias, self.cover = antialias, scene.cover
        height, width = scene.camera.size_hw
        self.size_hw = (height * antialias, width * antialias)
        buffer, meshes = DepthBuffer(self.size_hw), []
        for index, figure in enumerate(scene.figures):
            projected = self._projected(scene.camera, figure.vertices)
            # Skirt and hair are open sheets, so their insides are visible.
            sheets = figure.body.face_layers[figure.shown] >= Layer.SKIRT
            first = buffer.add(projected, figure.body.faces[figure.shown], sheets)
            meshes.append((first, len(figure.shown), projected, figure, index))
        for prop in scene.props:
            projected = self._projected(scene.camera, prop.vertices)
            first = buffer.add(projected, prop.faces, two_sided=False)
            meshes.append((first, len(prop.faces), projected, prop, NO_PERSON))
        self.fragments = buffer.resolve()
        self.drawn = [_Drawn(self, *mesh) for mesh in meshes]

    def maps(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return owners, depths and bones [H, W] of the samples nearest to the pixel centres."""
        owners = np.full(self.size_hw, NO_PERSON, np.int16)
        bones = np.full(self.size_hw, -1, np.int16)
        depths = np.full(self.size_hw, np.inf, np.float32)
        depths.ravel()[self.fragments.pixels] = self.fragments.depths
        for drawn in self.drawn:
            pixels = self.fragments.pixels[drawn.where]
            owners.ravel()[pixels] = drawn.owner
            bones.ravel()[pixels] = drawn.bones()
        start, step = self.antialias // 2, self.antialias
        centres = np.s_[start::step, start::step]
        owners, depths, bones = owners[centres].copy(), depths[centres].copy(), bones[centres].copy()
        if self.cover is not None:
            covered = self.cover > 0.5
            owners[covered], depths[covered], bones[covered] = NO_PERSON, COVER_DEPTH, -1
        return owners, depths, bones

    def _projected(self, camera: Camera, vertices: np.ndarray) -> np.ndarray:
        """Project vertices [V, 3] to grid pixels (centres at integers) and depth."""
        projected = camera.project(vertices)
        projected[:, :2] = (projected[:, :2] + 0.5) * self.antialias - 0.5
        return projected


class _Drawn:
    """The fragments of one mesh."""

    def __init__(
        self, grid: _FineGrid, first: int, count: int, projected: np.ndarray, thing: Figure | Prop, owner: int
    ) -> None:
        faces = grid.fragments.faces
        self.where = np.flatnonzero((faces >= first) & (faces < first + count))
        self.faces = faces[self.where] - first
        self.projected, self.thing, self.owner = projected, thing, owner

    def bones(self) -> np.ndarray | int:
        if isinstance(self.thing, Prop):
            return -1
        return self.thing.body.face_bones[self.thing.shown[self.faces]]

    def lit(self, grid: _FineGrid, light: Light) -> np.ndarray:
        """Compute the lit colours [P, 3] of the fragments."""
        thing = self.thing
        mesh_faces = thing.faces if isinstance(thing, Prop) else thing.body.faces[thing.shown]
        corners = mesh_faces[self.faces]
        row, column = np.divmod(grid.fragments.pixels[self.where], grid.size_hw[1])
        weights = barycentric(self.projected, corners, column, row)
        if isinstance(thing, Prop):
            position = _interpolated(thing.vertices.astype(np.float32), corners, weights)
            grain = 1 + 0.1 * np.sin(position @ np.array([40, 30, 25], np.float32))[:, None]
            return np.clip(thing.colour * grain * light.on(thing.normals[self.faces]), 0, 1)
        attributes = np.concatenate([thing.body.surface, thing.normals], axis=1)
        attributes = _interpolated(attributes, corners, weights)
        marks, normals = attributes[:, : len(Mark)], attributes[:, len(Mark) :]
        layers = thing.body.face_layers[thing.shown[self.faces]]
        normals = _folded(normals, marks, layers, thing)
        return np.clip(colours(thing.outfit, marks, layers) * light.on(normals), 0, 1)


def _interpolated(values: np.ndarray, corners: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Interpolate vertex values [V, A] at points with corners [P, 3] and weights [P, 3]; returns [P, A]."""
    total = values[corners[:, 0]] * weights[:, :1]
    for corner in (1, 2):
        total += values[corners[:, corner]] * weights[:, corner : corner + 1]
    return total


def _folded(normals: np.ndarray, marks: np.ndarray, layers: np.ndarray, figure: Figure) -> np.ndarray:
    """Return unit normals [P, 3], perturbed by the folds of cloth."""
    cloth = (layers == Layer.TIGHTS) | (layers == Layer.SKIRT)
    outfit = figure.outfit
    waves = np.sin(marks[cloth, :3] @ (1.8 * outfit.wrinkle_waves[:3].T) + outfit.wrinkle_phases[:3])
    normals[cloth] += np.float32(0.22 * outfit.wrinkle_depth) * waves
    return normals / np.maximum(np.sqrt(np.einsum("pi,pi->p", normals, normals))[:, None], 1e-6)


def _sample_light(surroundings: float, is_varied: bool, rng: np.random.Generator) -> Light:
    direction = rng.normal(size=3)
    direction[2] = abs(direction[2]) + 0.5
    # People in front of a dark background are dark.
    exposure = np.clip(0.6 + 0.9 * surroundings, 0.7, 1.3) * rng.uniform(0.85, 1.1)
    tint = exposure * (1 + rng.normal(0, 0.06, 3))
    unit = direction / np.linalg.norm(direction)
    ambient, key = ((0.3, 0.8), (0.3, 1.2)) if is_varied else ((0.45, 0.8), (0.4, 0.9))
    return Light(unit.astype(np.float32), rng.uniform(*ambient), rng.uniform(*key), tint.astype(np.float32))


def _shadow(scene: Scene, light: Light, rng: np.random.Generator) -> np.ndarray:
    """Light factor [H, W] of the shadows on the ground."""
    coarse = 4
    height, width = (-(-side // coarse) for side in scene.camera.size_hw)
    mask = np.zeros((height, width), np.float32)
    for figure in scene.figures:
        points = figure.vertices[::5]
        ground = points - light.direction * (points[:, 2:] / light.direction[2])
        projected = scene.camera.project(ground)
        column, row = ((projected[:, :2].T) / coarse).round()
        inside = (projected[:, 2] > 0.3) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
        mask[row[inside].astype(int), column[inside].astype(int)] = 1
    mask = cv2.GaussianBlur(cv2.dilate(mask, np.ones((3, 3), np.uint8)), (0, 0), 1.0)
    mask = cv2.resize(mask, scene.camera.size_hw[::-1], interpolation=cv2.INTER_LINEAR)
    return 1 - np.float32(rng.uniform(0.25, 0.6)) * mask
