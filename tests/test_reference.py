"""Golden numbers of the official code: whatever cases the folder named by TRANSPOSE_REFERENCE_DIR holds.

The default is tests/reference; its README tells what each file holds and how closely it must be met.
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.formula_weights import fill_by_formula
from transpose.attention.capture import capture
from transpose.config.load import load_variant
from transpose.config.training import CosineSchedule
from transpose.data.augment import mirror_keypoints
from transpose.data.coco import load_annotations
from transpose.data.crops import crop_image
from transpose.data.heatmaps import gaussian_heatmaps
from transpose.evaluation.oks import evaluate_keypoints, second_opinion
from transpose.evaluation.results import PoseResults
from transpose.geometry import box_to_center_scale, crop_affines, invert_affine, transform_points
from transpose.inference.decode import argmax_decode, dark_decode, heatmap_to_image
from transpose.inference.flip import flip_back
from transpose.inference.nms import oks_nms, rescore
from transpose.models.transpose import TransPose
from transpose.models.variants import build_model
from transpose.models.weights import official_state_dict
from transpose.skeleton import COCO
from transpose.training.loss import heatmap_loss
from transpose.training.schedule import learning_rate

INPUT_SIZE, HEATMAP_SIZE, SIGMA = (256, 192), (64, 48), 2.0


def found(folder: Path, name: str) -> Path:
    """A file of the folder; without it its cases do not apply."""
    path = folder / name
    if not path.is_file():
        pytest.skip(f"no {name} in {folder}")
    return path


def load(folder: Path, name: str) -> dict[str, np.ndarray]:
    with np.load(found(folder, name)) as arrays:
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


ROOT = Path(__file__).parents[1]
REFERENCE = Path(os.environ.get("TRANSPOSE_REFERENCE_DIR", ROOT / "tests" / "reference"))
KEYPOINTS = 17


def names_of(prefix: str, suffix: str) -> list[str]:
    return sorted(path.stem.removeprefix(prefix) for path in REFERENCE.glob(f"{prefix}*{suffix}"))


def model_of(variant: str) -> TransPose:
    return build_model(load_variant(variant, ROOT / "config" / "variants"), KEYPOINTS).eval()


def assert_close(actual: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    """Largest deviation relative to the largest value of the whole array."""
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.parametrize("variant", names_of("state_dict_", ".json"))
def test_checkpoint_keys_and_shapes(variant: str) -> None:
    expected = json.loads((REFERENCE / f"state_dict_{variant}.json").read_text())
    actual = {key: list(tensor.shape) for key, tensor in official_state_dict(model_of(variant)).items()}
    assert actual == expected


@pytest.mark.parametrize("variant", names_of("forward_", ".npz"))
@torch.inference_mode()
def test_heatmaps_and_attention(variant: str) -> None:
    golden = np.load(REFERENCE / f"forward_{variant}.npz")
    model = fill_by_formula(model_of(variant), variant)
    input_size = tuple(4 * side for side in golden["heatmaps"].shape[2:])
    noise = np.random.default_rng(int(golden["input_seed"])).standard_normal((1, 3, *input_size))
    images = torch.from_numpy(noise.astype(np.float32))

    heatmaps = model(images)
    encoded, layers = capture(model, model.features(images))
    assert_close(heatmaps.numpy(), golden["heatmaps"], 1e-5)
    assert torch.equal(model.predict_heatmaps(encoded), heatmaps)

    height, width = model.grid_size(input_size)
    columns, rows = golden["locations_xy"][: golden["dependency"].shape[1]].T
    tokens = torch.from_numpy(rows * width + columns)[None]
    dependency = torch.stack([layer.rows(tokens)[0].mean(dim=0) for layer in layers])
    affected = torch.stack([layer.columns(tokens)[0].mean(dim=0) for layer in layers])
    assert_close(dependency.unflatten(-1, (height, width)).numpy(), golden["dependency"], 1e-4)
    assert_close(affected.unflatten(-1, (height, width)).numpy(), golden["affected"], 1e-4)


ILL_CONDITIONED = 3.0
"""Heatmap pixels of offset beyond which the Taylor step tells nothing."""


@pytest.fixture(scope="module")
def decoding(reference_dir):
    with np.load(found(reference_dir, "decode.npz")) as content:
        return dict(content)


@pytest.fixture(scope="module")
def suppression(reference_dir):
    """The golden file and its persons as arrays: keypoints, rescored, areas, image ids."""
    golden = json.loads((found(reference_dir, "evaluation_predictions.json")).read_text())
    persons = golden["predictions"]
    keypoints = np.array([person["keypoints"] for person in persons])
    box_scores = np.array([person["box_score"] for person in persons])
    scores = rescore(box_scores, keypoints[..., 2], golden["in_vis_thre"])
    areas = np.array([np.prod(np.array(person["scale"]) * 200) for person in persons])
    return golden, keypoints, scores, areas, np.array([person["image_id"] for person in persons])


def kept_results(suppression):
    golden, keypoints, scores, areas, image_ids = suppression
    keep = oks_nms(keypoints, scores, areas, image_ids, COCO.oks_sigmas, golden["oks_thre"])
    return keep, PoseResults(image_ids[keep], keypoints[keep], scores[keep])


def test_argmax(decoding):
    points, scores = argmax_decode(decoding["heatmaps"])
    np.testing.assert_array_equal(points, decoding["argmax_xy"])
    np.testing.assert_allclose(scores, decoding["score"], atol=1e-6)


def test_dark(decoding):
    points, scores = dark_decode(decoding["heatmaps"], int(decoding["blur_kernel"]))
    offsets = np.abs(decoding["dark_heatmap_xy"] - decoding["argmax_xy"]).max(axis=-1)
    clear = offsets <= ILL_CONDITIONED
    assert clear.mean() > 0.5
    np.testing.assert_allclose(points[clear], decoding["dark_heatmap_xy"][clear], atol=1e-3)
    np.testing.assert_allclose(scores, decoding["score"], atol=1e-6)
    size = decoding["heatmaps"].shape[2:]
    in_image = heatmap_to_image(points, decoding["center"], decoding["scale"], size)
    np.testing.assert_allclose(in_image[clear], decoding["dark_image_xy"][clear], atol=1e-3)


def test_flip_back(decoding):
    flipped = flip_back(torch.from_numpy(decoding["heatmaps"][: len(decoding["flipped_back"])]), COCO)
    np.testing.assert_array_equal(flipped.numpy(), decoding["flipped_back"])


def test_loss(reference_dir):
    with np.load(found(reference_dir, "loss.npz")) as golden, np.load(found(reference_dir, "targets.npz")) as targets:
        predicted, chosen = torch.from_numpy(golden["pred"]), golden["targets_index"]
        target, weights = (torch.from_numpy(targets[name][chosen]) for name in ("heatmaps", "weights"))
        expected = float(golden["loss_weighted"]), float(golden["loss_unweighted"])
    measured = (heatmap_loss(predicted, target, each).item() for each in (weights, torch.ones_like(weights)))
    assert tuple(measured) == pytest.approx(expected, abs=1e-6)


def test_learning_rate(reference_dir):
    golden = json.loads((found(reference_dir, "learning_rate.json")).read_text())
    for epochs, rates in golden.items():
        steps = 7
        for epoch, rate in enumerate(rates):
            for step in (0, steps - 1):
                measured = learning_rate(CosineSchedule(), int(epochs), steps, epoch * steps + step)
                assert measured == pytest.approx(rate, abs=1e-12)


def test_rescoring_and_suppression(suppression):
    golden, _, scores, _, _ = suppression
    np.testing.assert_allclose(scores, golden["rescored"], atol=1e-9)
    assert kept_results(suppression)[0].tolist() == golden["keep"]


def test_oks_evaluation(suppression, reference_dir):
    _, results = kept_results(suppression)
    path = found(reference_dir, "evaluation_gt.json")
    expected = pytest.approx(suppression[0]["stats"], abs=1e-9)
    assert evaluate_keypoints(load_annotations(path, COCO), results, COCO).statistics == expected
    opinion = second_opinion(load_annotations(path, COCO), results, COCO)
    assert opinion is None or opinion == expected
