"""Golden numbers of the official crops and targets, in whatever folder TRANSPOSE_REFERENCE_DIR names."""

from pathlib import Path

import numpy as np
import pytest
import torch

from transpose.data.augment import mirror_keypoints
from transpose.data.crops import crop_image
from transpose.data.heatmaps import gaussian_heatmaps
from transpose.geometry import box_to_center_scale, crop_affines, invert_affine, transform_points
from transpose.skeleton import COCO

INPUT_SIZE, HEATMAP_SIZE, SIGMA = (256, 192), (64, 48), 2.0


def load(folder: Path, name: str) -> dict[str, np.ndarray]:
    path = folder / name
    if not path.is_file():
        pytest.skip(f"no {name} in {folder}")
    with np.load(path) as arrays:
        return dict(arrays)


@pytest.fixture
def geometry(reference_dir):
    return load(reference_dir, "geometry.npz")


@pytest.fixture
def targets(reference_dir):
    return load(reference_dir, "targets.npz")


def corners(size_hw):
    height, width = size_hw
    return np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]], dtype=float)


def test_boxes_become_the_official_centers_and_scales(geometry):
    center, scale = box_to_center_scale(geometry["boxes_xywh"], INPUT_SIZE)
    # The official arrays are float32.
    np.testing.assert_allclose(center, geometry["center"], rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(scale, geometry["scale"], rtol=1e-6)


@pytest.mark.parametrize(("name", "size_hw"), [("image_affine", INPUT_SIZE), ("heatmap_affine", HEATMAP_SIZE)])
def test_affines_map_the_crop_corners_as_the_official_ones(geometry, name, size_hw):
    ours = crop_affines(*box_to_center_scale(geometry["boxes_xywh"], INPUT_SIZE), geometry["rotation_deg"], size_hw)
    in_image = transform_points(invert_affine(geometry[name])[:, None], corners(size_hw))
    np.testing.assert_allclose(
        transform_points(ours[:, None], in_image), np.broadcast_to(corners(size_hw), in_image.shape), atol=1e-3
    )


def test_the_way_back_from_the_heatmap_is_the_official_one(geometry):
    center, scale = box_to_center_scale(geometry["boxes_xywh"], INPUT_SIZE)
    inverse = invert_affine(crop_affines(center, scale, np.zeros(len(center)), HEATMAP_SIZE))
    official = transform_points(geometry["heatmap_inverse"][:, None], corners(HEATMAP_SIZE))
    np.testing.assert_allclose(transform_points(inverse[:, None], corners(HEATMAP_SIZE)), official, atol=1e-3)


def test_crops_are_the_official_ones(geometry):
    y, x = np.mgrid[0:480, 0:640]
    channels = (x * 3 + y * 5) % 256, (x * y // 64) % 256, ((x - 320) ** 2 + (y - 240) ** 2) // 97 % 256
    image = np.stack(channels, axis=2).astype(np.uint8)
    for affine, official in zip(geometry["image_affine"], geometry["crops"], strict=False):
        difference = np.abs(crop_image(image, affine, INPUT_SIZE).astype(int) - official)
        assert (difference <= 1).mean() >= 0.999


def test_targets_and_their_weights_are_the_official_ones(targets):
    points, visible = torch.from_numpy(targets["joints_xy"]), torch.from_numpy(targets["visible"])
    heatmaps, weights = gaussian_heatmaps(points, visible, HEATMAP_SIZE, SIGMA)
    np.testing.assert_allclose(heatmaps, targets["heatmaps"], atol=1e-6)
    np.testing.assert_array_equal(weights, targets["weights"])


def test_mirrored_joints_are_the_official_ones(targets):
    visible = targets["visible"][0] > 0
    points, labelled = mirror_keypoints(targets["joints_xy"][0], visible, int(targets["flip_width"]), COCO)
    np.testing.assert_allclose(points, targets["flipped_joints"], atol=1e-6)
    np.testing.assert_array_equal(labelled, targets["flipped_visible"] > 0)
