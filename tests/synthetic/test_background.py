import numpy as np

from transpose.synthetic.background import sample_background
from transpose.synthetic.camera import Camera
from transpose.synthetic.texture import noise

CAMERA = Camera(height=1.5, pitch=5, roll=1, focal=150, size_hw=(60, 80))


def test_backgrounds_are_images_and_differ():
    images = [sample_background(CAMERA, np.random.default_rng(seed)) for seed in range(5)]
    for image in images:
        assert image.shape == (60, 80, 3)
        assert image.dtype == np.float32
        assert 0 <= image.min() <= image.max() <= 1
    assert np.abs(images[0] - images[1]).mean() > 0.02


def test_the_same_stream_gives_the_same_background():
    first, second = (sample_background(CAMERA, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_noise_spans_its_range():
    field = noise((40, 50), np.random.default_rng(0))
    assert field.shape == (40, 50)
    assert field.min() == 0
    assert 0.99 < field.max() <= 1
