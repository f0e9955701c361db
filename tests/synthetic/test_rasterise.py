import numpy as np
import pytest

from transpose.synthetic.rasterise import NEAR, DepthBuffer, barycentric

SIZE_HW = (8, 10)


def square(left: float, top: float, right: float, bottom: float, depth: float) -> tuple[np.ndarray, np.ndarray]:
    """A screen-parallel square that shows its front."""
    corners = [[left, top], [left, bottom], [right, bottom], [right, top]]
    return np.column_stack([corners, np.full(4, depth)]), np.array([[0, 1, 2], [0, 2, 3]])


def covered(buffer: DepthBuffer) -> np.ndarray:
    mask = np.zeros(SIZE_HW, bool)
    mask.ravel()[buffer.resolve().pixels] = True
    return mask


def test_covers_exactly_the_pixels_whose_centres_are_inside():
    buffer = DepthBuffer(SIZE_HW)
    buffer.add(*square(1.6, 2.2, 5.4, 6.9, 3.0), two_sided=False)
    expected = np.zeros(SIZE_HW, bool)
    expected[3:7, 2:6] = True
    np.testing.assert_array_equal(covered(buffer), expected)


@pytest.mark.parametrize("far_first", [True, False])
def test_the_nearer_surface_wins(far_first):
    buffer = DepthBuffer(SIZE_HW)
    far, near = square(0, 0, 9, 7, 5.0), square(3, 3, 5, 5, 2.0)
    first = {}
    for name, mesh in [("far", far), ("near", near)] if far_first else [("near", near), ("far", far)]:
        first[name] = buffer.add(*mesh, two_sided=False)
    fragments = buffer.resolve()
    assert len(fragments.pixels) == SIZE_HW[0] * SIZE_HW[1]
    is_near = (fragments.faces >= first["near"]) & (fragments.faces < first["near"] + 2)
    assert is_near.sum() == 9
    np.testing.assert_allclose(fragments.depths, np.where(is_near, 2.0, 5.0), rtol=1e-6)


def test_backs_show_only_of_two_sided_faces():
    vertices, faces = square(1, 1, 6, 6, 3.0)
    for two_sided, pixels in ((False, 0), (True, 36), (np.array([True, True]), 36)):
        buffer = DepthBuffer(SIZE_HW)
        buffer.add(vertices, faces[:, ::-1], two_sided)
        assert covered(buffer).sum() == pixels


def test_nothing_before_the_near_plane_or_outside_the_image():
    buffer = DepthBuffer(SIZE_HW)
    buffer.add(*square(1, 1, 6, 6, NEAR / 2), two_sided=True)
    buffer.add(*square(-9, -9, -2, -2, 2), two_sided=True)
    buffer.add(*square(11, 3, 1e12, 5, 2), two_sided=True)
    assert not covered(buffer).any()


def test_barycentric_weights_are_perspective_correct():
    corners = np.array([[0, 0, 1.0], [0, 8, 1.0], [8, 0, 4.0]])
    weights = barycentric(corners, np.array([[0, 1, 2]]), np.array([4]), np.array([0]))
    # Half way on the screen between depths 1 and 4 lies at 1 / (0.5 / 1 + 0.5 / 4) = 1.6.
    np.testing.assert_allclose(weights @ corners[:, 2], [1.6], rtol=1e-6)
