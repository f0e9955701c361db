import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from transpose.config.dataset import SyntheticSource
from transpose.synthetic.camera import Camera, Framing, aimed_camera, framing_shares

SIZE_HW = (120, 160)


@given(st.floats(2, 12), st.floats(0, 2), st.floats(0, 119), st.floats(0.5, 3), st.floats(100, 400))
def test_aimed_camera_shows_the_target_in_the_row(distance, target_height, row, height, focal):
    target = np.array([0.0, distance, target_height])
    camera = aimed_camera(target, row, height, 0.0, focal, SIZE_HW)
    x, y, depth = camera.project(target[None])[0]
    np.testing.assert_allclose([x, y], [camera.centre[0], row], atol=1e-6)
    assert depth > 0


def test_right_is_right_and_up_is_up():
    camera = Camera(height=1.0, pitch=0, roll=0, focal=200, size_hw=SIZE_HW)
    centre, right, up = camera.project(np.array([[0, 5, 1], [1, 5, 1], [0, 5, 2]], float))
    np.testing.assert_allclose(centre, [79.5, 59.5, 5])
    np.testing.assert_allclose(right - centre, [40, 0, 0], atol=1e-9)
    np.testing.assert_allclose(up - centre, [0, -40, 0], atol=1e-9)


def test_ground_of_pixels_undoes_the_projection():
    camera = Camera(height=1.7, pitch=12, roll=4, focal=180, size_hw=SIZE_HW)
    ground = np.array([[0.3, 3.0, 0], [-1.0, 6.0, 0], [2.0, 9.0, 0]])
    projected = camera.project(ground)
    position, depth = camera.ground_of_pixels(projected[:, 0], projected[:, 1])
    np.testing.assert_allclose(position, ground[:, :2], atol=1e-9)
    np.testing.assert_allclose(depth, projected[:, 2], atol=1e-9)


def test_no_ground_above_the_horizon():
    camera = Camera(height=1.7, pitch=0, roll=0, focal=180, size_hw=SIZE_HW)
    _, depth = camera.ground_of_pixels(np.array([80.0]), np.array([10.0]))
    assert np.isinf(depth).all()


def source(**values: object) -> SyntheticSource:
    return SyntheticSource.model_validate({"images": {"train": 1}, **values})


def test_whole_bodies_take_what_the_other_framings_leave() -> None:
    shares = framing_shares(source(bust_share=0.3, truncated_share=0.2, small_share=0.1, crowd_share=0.1))
    assert shares[Framing.WHOLE] == pytest.approx(0.3)
    assert sum(shares.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("bust_share", 0.9),
        ("people", (3, 2)),
        ("people", (0, 2)),
        ("image_size", (8, 320)),
        ("antialias", 0),
        ("occluder_probability", 1.5),
        ("images", {"train": 0}),
        ("no_such_key", 1),
    ],
)
def test_impossible_settings_are_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError):
        source(**{field: value})
