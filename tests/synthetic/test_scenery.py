"""Photographic material: it ships, is small, and the same stream draws the same image."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from transpose.config.dataset import SyntheticSource
from transpose.synthetic import scenery
from transpose.synthetic.background import sample_collage
from transpose.synthetic.camera import Camera
from transpose.synthetic.dataset import renderer_of
from transpose.synthetic.scenery import sample_patch, sample_place, sample_weave

CAMERA = Camera(height=1.5, pitch=5, roll=1, focal=80, size_hw=(60, 80))
FOLDER = Path(scenery.__file__).with_name("scenery")

Draw = Callable[[np.random.Generator], np.ndarray]
DRAWN: tuple[Draw, ...] = (
    lambda rng: sample_place(CAMERA, rng),
    lambda rng: sample_patch((60, 80), rng),
    lambda rng: sample_collage((60, 80), rng),
)


def test_the_photographs_are_small_and_named_in_the_notice():
    notice = (Path(__file__).parents[2] / "NOTICE").read_text()
    files = list(FOLDER.iterdir())
    assert sum(file.stat().st_size for file in files) < 2**20
    assert all(file.stem.split("_")[1] in notice for file in files)


def test_every_photograph_is_read():
    names = scenery._PANORAMAS + scenery._TEXTURES
    assert {Path(name).name for name in names} == {file.name for file in FOLDER.iterdir()}
    images = [cv2.imread(str(FOLDER.parent / name)) for name in names]
    assert all(image is not None for image in images)


@pytest.mark.parametrize("draw", DRAWN)
def test_images_are_drawn_again_and_differ(draw: Draw):
    images = [draw(np.random.default_rng(seed)) for seed in range(6)]
    for seed, image in enumerate(images):
        assert image.shape == (60, 80, 3)
        assert image.dtype == np.float32
        assert 0 <= image.min() <= image.max() <= 1
        np.testing.assert_array_equal(image, draw(np.random.default_rng(seed)))
    assert np.mean([np.abs(one - other).mean() for one, other in pairwise(images)]) > 0.05


def test_the_sky_is_up():
    """Looking up and looking down into the same places: on average, the sky is brighter than the ground."""
    up, down = (
        np.mean([sample_place(Camera(1.5, pitch, 0, 80, (60, 80)), np.random.default_rng(seed)) for seed in range(30)])
        for pitch in (-60, 60)
    )
    assert up > down


def test_a_collage_keeps_the_image_behind_it():
    behind = np.full((60, 80, 3), 0.5, np.float32)
    kept = [(sample_collage((60, 80), np.random.default_rng(seed), behind) == 0.5).all(-1).mean() for seed in range(6)]
    assert 0.02 < np.mean(kept) < 0.98


def test_cloth_has_colour_or_not():
    weaves = [sample_weave(32, np.random.default_rng(seed)) for seed in range(12)]
    assert {(weave.shape, weave.min() >= 0.2, weave.max() <= 1.8) for weave in weaves} == {((32, 32, 3), True, True)}
    assert 0 < sum(np.ptp(weave, axis=-1).max() < 1e-3 for weave in weaves) < 12


def test_the_plain_style_draws_none_of_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scenery, "_photographs", None)
    settings = SyntheticSource(image_size=(96, 128), antialias=1, images={"train": 6}, people=(1, 3))
    for index in range(6):
        renderer_of(settings, "train").render_image(index)
