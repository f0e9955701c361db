import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transpose.config.training import Augmentation
from transpose.data.augment import AugmentedFrame, mirror_keypoints, sample_augmentation
from transpose.data.crops import crop_image
from transpose.geometry import crop_affine, invert_affine, transform_points
from transpose.skeleton import COCO_PERSON

INPUT_SIZE, HEATMAP_SIZE = (256, 192), (64, 48)
CENTER, SCALE = np.array([120.0, 90.0]), np.array([0.6, 0.8])
OFF = dict.fromkeys(("half_body_probability", "scale_factor", "rotation_probability", "flip_probability"), 0.0)


def person(labelled: slice | list[int] = slice(None), seed: int = 0) -> np.ndarray:
    keypoints = np.zeros((17, 3))
    points = np.random.default_rng(seed).uniform(40, 200, (17, 2))
    keypoints[labelled, :2] = points[labelled]
    keypoints[labelled, 2] = 2
    return keypoints


def draw(keypoints: np.ndarray, rng: np.random.Generator, **settings: float) -> AugmentedFrame:
    return sample_augmentation(
        keypoints, CENTER, SCALE, COCO_PERSON, INPUT_SIZE, Augmentation.model_validate(settings), rng
    )


def test_nothing_changes_when_all_is_off():
    frame = draw(person(), np.random.default_rng(0), **OFF)
    np.testing.assert_array_equal(frame.center, CENTER)
    np.testing.assert_array_equal(frame.scale, SCALE)
    assert (frame.rotation, frame.flip) == (0.0, False)


def test_distributions_are_the_official_ones():
    rng = np.random.default_rng(1)
    frames = [draw(person([0, 5, 6]), rng) for _ in range(4000)]
    rotation = np.array([frame.rotation for frame in frames])
    factor = np.array([frame.scale[0] / SCALE[0] for frame in frames])
    assert np.mean([frame.flip for frame in frames]) == pytest.approx(0.5, abs=0.03)
    assert (rotation != 0).mean() == pytest.approx(0.6, abs=0.03)
    assert np.abs(rotation).max() == 90
    # A normal of deviation 45 clipped at two deviations has a deviation of 43.2; both ends hold 2.3 % each.
    assert rotation[rotation != 0].std() == pytest.approx(43.2, abs=2)
    assert (factor.min(), factor.max()) == pytest.approx((0.65, 1.35))
    assert (factor == factor.min()).mean() == pytest.approx(0.159, abs=0.02)
    assert factor.mean() == pytest.approx(1, abs=0.02)


def test_half_bodies_are_official_in_number_and_place():
    rng = np.random.default_rng(2)
    keypoints = person()
    centers = np.array([draw(keypoints, rng, **OFF | {"half_body_probability": 0.3}).center for _ in range(4000)])
    upper, lower = keypoints[:11, :2].mean(axis=0), keypoints[11:, :2].mean(axis=0)
    is_upper, is_lower = (np.isclose(centers, place).all(axis=1) for place in (upper, lower))
    assert (is_upper | is_lower).mean() == pytest.approx(0.3, abs=0.03)
    # A standard normal lies below 0.5 with probability 0.691.
    assert is_upper.sum() / (is_upper | is_lower).sum() == pytest.approx(0.691, abs=0.05)


def test_half_bodies_need_more_labelled_keypoints_than_the_setting():
    always = OFF | {"half_body_probability": 1.0}
    for labelled, changes in [(8, False), (9, True)]:
        frame = draw(person(slice(labelled)), np.random.default_rng(0), **always)
        assert (frame.center != CENTER).any() == changes


@pytest.mark.parametrize(
    ("labelled", "chosen"),
    [
        ([0, 1, 11, 12, 13], [[11, 12, 13]]),  # two upper keypoints are too few
        ([0, 1, 2, 11, 12], [[0, 1, 2]]),  # two lower keypoints are too few
        ([0, 1, 2, 11, 12, 13], [[0, 1, 2], [11, 12, 13]]),
        ([0, 1, 11, 12], [[0, 1]]),  # both too few: the upper ones while they are two
        ([0, 11, 12], [None]),
        ([11, 12], [None]),
    ],
)
def test_half_bodies_fall_back_as_the_official_ones(labelled, chosen):
    keypoints, rng = person(labelled), np.random.default_rng(3)
    always = OFF | {"half_body_probability": 1.0, "half_body_keypoints": 0}
    centers = {tuple(draw(keypoints, rng, **always).center.round(6)) for _ in range(40)}
    places = [CENTER if subset is None else keypoints[subset, :2].mean(axis=0) for subset in chosen]
    assert centers == {tuple(place.round(6)) for place in places}


def test_a_half_body_frame_holds_its_keypoints_with_half_a_frame_to_spare():
    keypoints = person(slice(11))
    keypoints[:11, :2] = np.random.default_rng(0).uniform((50, 50), (60, 150), (11, 2))
    frame = draw(keypoints, np.random.default_rng(0), **OFF | {"half_body_probability": 1.0})
    height = np.ptp(keypoints[:11, 1]) + 1
    np.testing.assert_allclose(frame.scale * 200, [1.5 * height * 0.75, 1.5 * height])


@given(st.integers(0, 2**32 - 1))
def test_keypoints_follow_the_pixels(seed):
    keypoints = person(seed=seed)
    frame = draw(keypoints, np.random.default_rng(seed))
    points, labelled = frame.place_keypoints(keypoints, INPUT_SIZE, COCO_PERSON)
    permutation = COCO_PERSON.flip_permutation if frame.flip else np.arange(17)
    np.testing.assert_allclose(points, transform_points(frame.affine(INPUT_SIZE), keypoints[permutation, :2]))
    assert labelled.all()
    back = transform_points(invert_affine(frame.affine(INPUT_SIZE)), points)
    np.testing.assert_allclose(back, keypoints[permutation, :2], atol=1e-6)


def test_crop_and_heatmap_positions_differ_by_the_official_factor():
    frame = AugmentedFrame(CENTER, SCALE, 30.0, flip=True)
    in_crop, _ = frame.place_keypoints(person(), INPUT_SIZE, COCO_PERSON)
    in_heatmap, _ = frame.place_keypoints(person(), HEATMAP_SIZE, COCO_PERSON)
    np.testing.assert_allclose(in_crop, (95.5, 127.5) + (in_heatmap - (23.5, 31.5)) * 191 / 47)


def test_mirroring_the_crop_equals_mirroring_the_image_first():
    image = np.random.default_rng(0).integers(0, 255, (12, 16, 3), dtype=np.uint8).repeat(20, 0).repeat(20, 1)
    width = image.shape[1]
    keypoints = person(slice(12))
    ours = AugmentedFrame(CENTER, SCALE, 25.0, flip=True)
    mirrored_center = np.array([width - 1 - CENTER[0], CENTER[1]])
    official = crop_image(
        np.ascontiguousarray(image[:, ::-1]), crop_affine(mirrored_center, SCALE, -25.0, INPUT_SIZE), INPUT_SIZE
    )
    difference = np.abs(crop_image(image, ours.affine(INPUT_SIZE), INPUT_SIZE).astype(int) - official)
    # OpenCV rounds sampling positions to 1/32 pixel.
    assert difference.mean() < 0.5
    assert (difference <= 8).mean() > 0.999
    points, labelled = mirror_keypoints(keypoints[:, :2], keypoints[:, 2] > 0, width, COCO_PERSON)
    official_points = transform_points(crop_affine(mirrored_center, SCALE, -25.0, HEATMAP_SIZE), points)
    placed, placed_labelled = ours.place_keypoints(keypoints, HEATMAP_SIZE, COCO_PERSON)
    np.testing.assert_array_equal(placed_labelled, labelled)
    np.testing.assert_allclose(placed[labelled], official_points[labelled])
    assert not placed[~labelled].any()


@given(st.integers(1, 1000), st.integers(0, 2**17 - 1), st.integers(0, 99))
def test_mirroring_twice_changes_nothing(width, labels, seed):
    labelled = np.array([labels >> bit & 1 for bit in range(17)], dtype=bool)
    points = np.random.default_rng(seed).uniform(-10, width, (17, 2)) * labelled[:, None]
    twice = mirror_keypoints(*mirror_keypoints(points, labelled, width, COCO_PERSON), width, COCO_PERSON)
    np.testing.assert_allclose(twice[0], points, atol=1e-9)
    np.testing.assert_array_equal(twice[1], labelled)
