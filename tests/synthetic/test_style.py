"""The varied style: what it draws, and that it leaves the plain one alone."""

import hashlib

import cv2
import numpy as np
import pytest

from transpose.config.dataset import SyntheticSource
from transpose.synthetic.annotate import annotations
from transpose.synthetic.background import sample_cluttered_background, sample_leaves
from transpose.synthetic.camera import Camera
from transpose.synthetic.clothing import sample_outfit, varied_outfit
from transpose.synthetic.dataset import renderer_of
from transpose.synthetic.objects import COVER_DEPTH, sample_cover
from transpose.synthetic.photograph import photograph_with_variety
from transpose.synthetic.render import NO_PERSON, render, seen_surfaces
from transpose.synthetic.scene import Bodies, Scene, sample_scene

SETTINGS = SyntheticSource(
    image_size=(96, 128), antialias=1, images={"train": 6}, people=(1, 3), smallest_labelled_area=150, style="varied"
)
CAMERA = Camera(height=1.5, pitch=5, roll=1, focal=150, size_hw=(60, 80))


def scenes(bodies: Bodies, count: int, settings: SyntheticSource = SETTINGS) -> list[Scene]:
    return [sample_scene(bodies, settings, np.random.default_rng(seed)) for seed in range(count)]


def test_the_same_image_comes_out_again():
    first, second = (renderer_of(SETTINGS, "train").render_image(2) for _ in range(2))
    assert first == second


def test_styles_give_different_images():
    plain = SETTINGS.model_copy(update={"style": "plain"})
    assert renderer_of(plain, "train").render_image(0)[0] != renderer_of(SETTINGS, "train").render_image(0)[0]


def test_a_plain_scene_has_no_cover(bodies: Bodies):
    for scene in scenes(bodies, 3, SETTINGS.model_copy(update={"style": "plain"})):
        assert scene.cover is None
        assert all(figure.outfit.weave is None and figure.outfit.glasses is None for figure in scene.figures)


def test_covered_pixels_have_no_owner(bodies: Bodies):
    drawn = [(scene, scene.cover > 0.5) for scene in scenes(bodies, 12) if scene.cover is not None]
    assert sum(under.any() for _, under in drawn) >= 4
    for scene, under in drawn:
        rendering = render(scene, 1, np.random.default_rng(0))
        assert (rendering.owners[under] == NO_PERSON).all()
        assert (rendering.bones[under] == -1).all()
        assert (rendering.depths[under] == np.float32(COVER_DEPTH)).all()


def test_parts_are_those_of_the_image(bodies: Bodies):
    for scene in scenes(bodies, 4):
        rendering = render(scene, 1, np.random.default_rng(0))
        for drawn, again in zip(
            (rendering.owners, rendering.depths, rendering.bones), seen_surfaces(scene, 1), strict=True
        ):
            np.testing.assert_array_equal(drawn, again)


def test_covers_hide_joints(bodies: Bodies):
    """The same scenes, bare and covered: fewer joints are labelled as seen."""
    seen = []
    for scene in scenes(bodies, 12):
        bare = Scene(scene.camera, scene.figures, scene.in_crowd, scene.props, scene.framing, is_varied=True)
        for each in (bare, scene):
            found = annotations(each, render(each, 1, np.random.default_rng(0)), smallest_labelled_area=150)
            seen.append(sum(value == 2 for person in found for value in person["keypoints"][2::3]))
    assert sum(seen[1::2]) < 0.95 * sum(seen[::2])


def test_a_cover_is_an_opacity():
    keypoints = np.column_stack([np.linspace(-0.3, 0.3, 17), np.full(17, 4.0), np.linspace(0.2, 1.7, 17)])
    covers = [sample_cover(CAMERA, [keypoints], np.random.default_rng(seed)) for seed in range(20)]
    for cover in covers:
        assert cover.shape == CAMERA.size_hw
        assert cover.dtype == np.float32
        assert 0 <= cover.min() <= cover.max() <= 1
    assert 0 < sum(cover.max() > 0.5 for cover in covers) < 20


@pytest.mark.parametrize("draw", [sample_cluttered_background, lambda camera, rng: sample_leaves(camera.size_hw, rng)])
def test_clutter_has_edges(draw):
    images = [draw(CAMERA, np.random.default_rng(seed)) for seed in range(8)]
    for image in images:
        assert image.shape == (60, 80, 3)
        assert image.dtype == np.float32
        assert image.min() >= 0
    assert np.mean([np.abs(np.diff(image, axis=1)).mean() for image in images]) > 0.01


def test_cameras_keep_the_shape_and_differ():
    canvas = cv2.resize(np.random.default_rng(0).random((12, 16, 3), np.float32), (80, 60))
    images = [photograph_with_variety(canvas.copy(), np.random.default_rng(seed)) for seed in range(6)]
    assert {(image.shape, image.dtype) for image in images} == {((60, 80, 3), np.dtype(np.uint8))}
    assert len({hashlib.sha256(image.tobytes()).hexdigest() for image in images}) == 6


def test_texture_is_about_one():
    for seed in range(6):
        rng = np.random.default_rng(seed)
        weave = varied_outfit(sample_outfit(rng, is_female=True), rng).weave
        assert weave is not None
        assert weave.shape[2] == 3
        assert weave.min() >= np.float32(0.2)
        assert weave.max() <= np.float32(1.8)
