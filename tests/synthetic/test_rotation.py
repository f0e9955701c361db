import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transpose.synthetic.rotation import about_axis, about_x, about_y, about_z, between, fraction

ANGLES = st.floats(-179, 179)
VECTORS = st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1).map(np.array)


@given(ANGLES)
def test_turns_about_the_axes_agree_with_the_general_one(degrees):
    for axis, rotation in zip(np.eye(3), (about_x, about_y, about_z), strict=True):
        np.testing.assert_allclose(rotation(degrees), about_axis(axis, degrees), atol=1e-12)


@given(VECTORS, VECTORS)
def test_between_turns_one_direction_into_the_other(start, end):
    rotation = between(start, end)
    turned = rotation @ (start / np.linalg.norm(start))
    np.testing.assert_allclose(turned, end / np.linalg.norm(end), atol=1e-6)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)


@pytest.mark.parametrize("axis", np.eye(3))
def test_between_opposite_directions(axis):
    np.testing.assert_allclose(between(axis, -axis) @ axis, -axis, atol=1e-12)


@given(VECTORS, st.floats(1, 170), st.integers(1, 5))
def test_fractions_add_up_to_the_whole(axis, degrees, parts):
    whole = about_axis(axis, degrees)
    part = fraction(whole, 1 / parts)
    np.testing.assert_allclose(np.linalg.matrix_power(part, parts), whole, atol=1e-7)
