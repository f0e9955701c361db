import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from transpose.data.crops import crop_image, rows_under_crop

SHIFT = np.array([[1.0, 0.0, -3.0], [0.0, 1.0, -2.0]])


def test_a_shift_moves_whole_pixels_and_leaves_zeros_outside():
    image = np.random.default_rng(0).integers(1, 255, (20, 30, 3), dtype=np.uint8)
    crop = crop_image(image, SHIFT, (25, 16))
    assert crop.shape == (25, 16, 3)
    assert crop.dtype == np.uint8
    np.testing.assert_array_equal(crop[:18], image[2:, 3:19])
    assert not crop[18:].any()


def test_the_affine_maps_from_the_image_to_the_crop():
    image = np.zeros((40, 40, 3), dtype=np.uint8)
    image[10, 20] = 200
    crop = crop_image(image, np.array([[2.0, 0.0, -10.0], [0.0, 2.0, -10.0]]), (40, 40))
    assert np.unravel_index(crop[..., 0].argmax(), (40, 40)) == (10, 30)


places = st.floats(-60, 120)


@given(st.floats(0.2, 5), st.floats(-180, 180), st.booleans(), places, places)
def test_a_crop_comes_from_its_rows_alone(scale, degrees, flip, x, y):
    cosine, sine = scale * np.cos(np.deg2rad(degrees)), scale * np.sin(np.deg2rad(degrees))
    linear = np.array([[cosine, sine], [-sine, cosine]]) * ([[-1.0], [1.0]] if flip else 1.0)
    affine = np.column_stack([linear, (7.5, 12.0) - linear @ (x, y)])
    image = np.random.default_rng(0).integers(0, 255, (50, 60, 3), dtype=np.uint8)
    rows = rows_under_crop(affine, (25, 16), 50)
    others = np.full_like(image, 99)
    others[rows] = image[rows]
    np.testing.assert_array_equal(crop_image(others, affine, (25, 16)), crop_image(image, affine, (25, 16)))


def test_rows_outside_a_crop_are_skipped():
    affine = np.array([[1.0, 0.0, -3.0], [0.0, 1.0, -20.0]])
    assert rows_under_crop(affine, (10, 16), 50) == slice(18, 32)
    assert rows_under_crop(affine, (10, 16), 25) == slice(18, 25)
    assert rows_under_crop(affine, (10, 16), 10) == slice(10, 10)
