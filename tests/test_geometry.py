import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transpose.geometry import (
    are_inside,
    box_to_center_scale,
    crop_affine,
    crop_affines,
    extend_to_aspect,
    heatmap_to_image,
    invert_affine,
    transform_points,
)

SIZES = [(256, 192), (128, 96), (96, 128), (64, 64)]

coordinates = st.floats(-500, 1500)
sides = st.floats(0.5, 2000)
boxes = st.tuples(coordinates, coordinates, sides, sides).map(np.array)


@given(boxes, st.sampled_from(SIZES))
def test_center_and_scale_determine_the_box_except_its_extended_side(box, size_hw):
    center, scale = box_to_center_scale(box, size_hw)
    aspect = size_hw[1] / size_hw[0]
    width, height = scale[0] * 200 / 1.25
    assert width / height == pytest.approx(aspect)
    assert width == pytest.approx(max(box[2], box[3] * aspect))
    kept = [width, box[3]] if box[2] >= box[3] * aspect else [box[2], height]
    np.testing.assert_allclose(center[0] - (np.array(box[2:]) - 1) / 2, box[:2], atol=1e-6)
    np.testing.assert_allclose(kept, box[2:], rtol=1e-9)


@given(boxes, st.sampled_from(SIZES), st.floats(-180, 180), st.tuples(coordinates, coordinates).map(np.array))
def test_points_return_from_the_crop(box, size_hw, rotation, point):
    center, scale = box_to_center_scale(box, size_hw)
    affine = crop_affine(center[0], scale[0], rotation, size_hw)
    np.testing.assert_allclose(
        transform_points(invert_affine(affine), transform_points(affine, point)), point, atol=1e-6
    )


@given(boxes, st.sampled_from(SIZES), st.floats(-180, 180))
def test_crops_turn_and_scale_alike_in_all_directions_around_the_centre(box, size_hw, rotation):
    center, scale = box_to_center_scale(box, size_hw)
    affine = crop_affine(center[0], scale[0], rotation, size_hw)
    np.testing.assert_allclose(
        transform_points(affine, center[0]), [(size_hw[1] - 1) / 2, (size_hw[0] - 1) / 2], atol=1e-6
    )
    gram = affine[:, :2] @ affine[:, :2].T
    np.testing.assert_allclose(gram, gram[0, 0] * np.eye(2), atol=1e-9 * gram[0, 0])
    assert np.linalg.det(affine[:, :2]) > 0


def test_crop_corners_lie_size_minus_one_apart():
    # 101 pixels wide between the first and the last centre: 100 steps for the crop's 191.
    affine = crop_affine(np.array([50.0, 60.0]), np.array([0.505, 0.6733]), 0.0, (256, 192))
    np.testing.assert_allclose(transform_points(affine, np.array([[0.0, 60.0], [100.0, 60.0]]))[:, 0], [0, 191])


def test_positive_rotation_turns_the_content_counterclockwise():
    affine = crop_affine(np.array([50.0, 50.0]), np.array([1.0, 1.0]), 90.0, (101, 101))
    right_of_centre = transform_points(affine, np.array([60.0, 50.0]))
    assert right_of_centre[0] == pytest.approx(50)
    assert right_of_centre[1] < 50


def test_all_persons_at_once_are_each_one_alone():
    rng = np.random.default_rng(0)
    center, scale, rotation = rng.uniform(0, 300, (5, 2)), rng.uniform(0.2, 3, (5, 2)), rng.uniform(-90, 90, 5)
    alone = [crop_affine(*person, (64, 48)) for person in zip(center, scale, rotation, strict=True)]
    np.testing.assert_array_equal(crop_affines(center, scale, rotation, (64, 48)), np.stack(alone))


def test_transforms_broadcast_over_points_of_each_person():
    rng = np.random.default_rng(0)
    affines, points = rng.standard_normal((4, 2, 3)), rng.standard_normal((4, 7, 2))
    mapped = transform_points(affines[:, None], points)
    assert mapped.shape == (4, 7, 2)
    np.testing.assert_allclose(mapped[2, 5], affines[2, :, :2] @ points[2, 5] + affines[2, :, 2])


def test_maps_of_vanishing_boxes_can_be_inverted():
    center, scale = box_to_center_scale(np.array([[10.0, 10.0, 0.01, 0.01]]), (256, 192))
    assert np.isfinite(invert_affine(crop_affine(center[0], scale[0], 0.0, (256, 192)))).all()


@pytest.mark.parametrize(("sides_wh", "extended"), [((30, 10), (30, 40)), ((30, 80), (60, 80)), ((30, 40), (30, 40))])
def test_the_shorter_side_is_extended(sides_wh, extended):
    np.testing.assert_allclose(extend_to_aspect(np.array(sides_wh), (256, 192)), extended)


def test_no_boxes_have_no_centers():
    center, scale = box_to_center_scale(np.empty((0, 4)), (256, 192))
    assert center.shape == scale.shape == (0, 2)
    assert crop_affines(center, scale, np.empty(0), (256, 192)).shape == (0, 2, 3)


def test_heatmap_to_image_undoes_the_affine():
    rng = np.random.default_rng(0)
    center, scale = rng.uniform(50, 400, (5, 2)), np.array([[0.75, 1.0]]) * rng.uniform(0.2, 3, (5, 1))
    points = rng.uniform(0, 400, (5, 17, 2))
    heatmap_points = transform_points(crop_affines(center, scale, np.zeros(5), (64, 48))[:, None], points)
    np.testing.assert_allclose(heatmap_to_image(heatmap_points, center, scale, (64, 48)), points, atol=1e-9)


def test_a_box_is_inside_where_it_overlaps_the_image():
    boxes = np.array([[0, 0, 5, 5], [-5, 0, 5, 5], [-4, -4, 5, 5], [99, 59, 1, 1], [100, 0, 5, 5], [0, 60, 5, 5]])
    assert are_inside(boxes, (60, 100)).tolist() == [True, False, True, True, False, False]
    assert are_inside(np.zeros((0, 4)), (60, 100)).tolist() == []
