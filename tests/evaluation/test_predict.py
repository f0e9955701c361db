from pathlib import Path

import numpy as np
import pytest
import torch

from transpose.compute import Compute
from transpose.config.study import Protocol
from transpose.data.boxes import PersonBoxes
from transpose.data.crops import normalise
from transpose.data.loader import EvaluationBatch
from transpose.errors import InputError
from transpose.evaluation.predict import (
    Predictions,
    check_finite,
    finish_predictions,
    finite_heatmaps_of,
    finite_on_cpu,
    predict_heatmaps,
    predict_keypoints,
)
from transpose.skeleton import COCO

CPU = Compute(torch.device("cpu"), "fp32", 1)
PERSONS = 5


def peaks(images):
    """A stand-in for a network: 17 heatmaps [B, 17, 16, 12] whose maximum follows the brightest place."""
    brightness = torch.nn.functional.avg_pool2d(images.mean(dim=1, keepdim=True), 4)
    return torch.nn.functional.avg_pool2d(brightness, 3, stride=1, padding=1).clamp(min=0).repeat(1, 17, 1, 1)


def crops():
    """Crops [5, 64, 48, 3] with one bright disc, and the discs' centres in heatmap pixels."""
    rng = np.random.default_rng(0)
    centres = rng.uniform(3, 8, (PERSONS, 2))
    rows, columns = np.mgrid[:64, :48]
    squared = ((columns / 4 - centres[:, :1, None]) ** 2) + (rows / 4 - centres[:, 1:, None]) ** 2
    discs = (255 * np.exp(-squared / 4)).astype(np.uint8)
    return torch.from_numpy(np.repeat(discs[..., None], 3, axis=3)), centres


def batches(order, size=2):
    images, _ = crops()
    center, scale = np.arange(10.0).reshape(5, 2) * 50, np.linspace(0.5, 1.5, 5)[:, None] * [0.75, 1]
    for start in range(0, PERSONS, size):
        index = order[start : start + size]
        yield EvaluationBatch(images[index], center[index], scale[index], index)


def test_order_and_size_of_batches_do_not_matter():
    expected = predict_keypoints(peaks, batches(np.arange(5), size=5), COCO, Protocol(), CPU)
    shuffled = predict_keypoints(peaks, batches(np.array([3, 0, 4, 2, 1])), COCO, Protocol(), CPU)
    np.testing.assert_allclose(shuffled.keypoints_xy, expected.keypoints_xy, atol=1e-4)
    np.testing.assert_allclose(shuffled.keypoint_scores, expected.keypoint_scores, atol=1e-6)
    np.testing.assert_array_equal(shuffled.areas, expected.areas)
    np.testing.assert_allclose(expected.areas, 200**2 * 0.75 * np.linspace(0.5, 1.5, 5) ** 2)


@pytest.mark.parametrize(("decoder", "tolerance"), [("dark", 0.6), ("argmax", 1.0)])
def test_keypoints_land_on_the_discs(decoder, tolerance):
    protocol = Protocol(decoder=decoder, blur_kernel=5, flip_test=False)
    predictions = predict_keypoints(peaks, batches(np.arange(5)), COCO, protocol, CPU)
    _, centres = crops()
    batch = next(batches(np.arange(5), size=5))
    pixels = (200 * batch.scale[:, :1] - 1) / 11
    expected = batch.center + (centres - [5.5, 7.5]) * pixels
    assert (np.abs(predictions.keypoints_xy[:, 0] - expected) < tolerance * pixels).all()


def test_the_flip_test_is_the_protocols_choice():
    images, _ = crops()

    def left_half(batch):
        heatmaps = peaks(batch)
        heatmaps[..., 6:] = 0
        return heatmaps

    plain = predict_heatmaps(left_half, images, COCO, Protocol(flip_test=False), CPU)
    both = predict_heatmaps(left_half, images, COCO, Protocol(), CPU)
    torch.testing.assert_close(plain, left_half(normalise(images)))
    torch.testing.assert_close(both, peaks(normalise(images)) / 2)


def test_bf16_is_nearly_fp32():
    weights = torch.randn(17, 3, 4, 4, generator=torch.Generator().manual_seed(0)) / 48

    def model(batch):
        return torch.nn.functional.conv2d(batch, weights, stride=4)

    images, _ = crops()
    exact = predict_heatmaps(model, images, COCO, Protocol(), CPU)
    rough = predict_heatmaps(model, images, COCO, Protocol(), Compute(torch.device("cpu"), "bf16", 1))
    assert rough.dtype == torch.float32
    assert not torch.equal(rough, exact)
    torch.testing.assert_close(rough, exact, atol=0.03, rtol=0.03)


def predict_with_a_diverged_model():
    return predict_heatmaps(lambda images: peaks(images) * torch.nan, crops()[0], COCO, Protocol(), CPU)


def test_a_diverged_model_is_told():
    with pytest.raises(FloatingPointError, match="not finite"):
        predict_with_a_diverged_model()


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_one_number_that_is_not_finite_is_seen(value: float):
    heatmaps = torch.zeros(2, 3, 4, 4)
    check_finite(heatmaps)
    check_finite(heatmaps[:0])
    heatmaps[1, 2, 0, 3] = value
    with pytest.raises(FloatingPointError, match="not finite"):
        check_finite(heatmaps)


def test_a_diverged_model_is_the_fault_of_its_weights():
    words = "run/weights: the model's heatmaps are not finite; training has diverged"
    with pytest.raises(InputError, match=words), finite_heatmaps_of(Path("run/weights")):
        predict_with_a_diverged_model()


def test_what_fp16_cannot_hold_is_told_of_fp16():
    with pytest.raises(FloatingPointError, match="not finite; fp16 ends at 65,504: take bf16 or fp32"):
        finite_on_cpu(torch.full((1, 1, 2, 2), 1e5).half())


def test_no_boxes_no_predictions():
    predictions = predict_keypoints(peaks, [], COCO, Protocol(), CPU)
    assert predictions.keypoints_xy.shape == (0, 17, 2)
    boxes = PersonBoxes(np.zeros(0, dtype=np.int64), np.zeros((0, 4)), np.zeros(0), np.zeros(0, dtype=np.int64))
    assert len(finish_predictions(predictions, boxes, Protocol(), COCO)) == 0


def test_finished_predictions_are_rescored_and_single():
    keypoints = np.repeat(np.array([10.0, 11, 200, 10])[:, None, None], 17, axis=1).repeat(2, axis=2)
    predictions = Predictions(keypoints, np.full((4, 17), 0.5), np.full(4, 1e4))
    boxes = PersonBoxes(np.array([2, 2, 2, 1]), np.zeros((4, 4)), np.array([0.8, 1.0, 0.6, 0.9]), np.full(4, -1))
    results = finish_predictions(predictions, boxes, Protocol(), COCO)
    assert results.image_ids.tolist() == [1, 2, 2]
    assert results.scores.tolist() == pytest.approx([0.45, 0.5, 0.3])
    assert results.keypoints[:, 0].tolist() == [[10, 10, 0.5], [11, 11, 0.5], [200, 200, 0.5]]


def test_without_suppression_every_box_keeps_its_prediction_and_its_person():
    predictions = Predictions(np.full((3, 17, 2), 10.0), np.full((3, 17), 0.5), np.full(3, 1e4))
    boxes = PersonBoxes(np.array([2, 2, 1]), np.zeros((3, 4)), np.array([0.8, 1.0, 0.9]), np.array([7, 8, 9]))
    results = finish_predictions(predictions, boxes, Protocol(), COCO, suppress=False)
    assert results.image_ids.tolist() == [1, 2, 2]
    assert results.annotation_ids is not None
    assert results.annotation_ids.tolist() == [9, 8, 7]


@pytest.mark.parametrize(
    ("score", "expected"),
    [("box_times_keypoints", [0.45, 0.5, 0.4, 0.3]), ("keypoints", [0.5] * 4), ("box", [0.9, 1.0, 0.8, 0.6])],
)
def test_without_suppression_everybody_stays_in_the_order_of_the_chosen_score(score, expected):
    keypoints = np.repeat(np.array([10.0, 11, 200, 10])[:, None, None], 17, axis=1).repeat(2, axis=2)
    predictions = Predictions(keypoints, np.full((4, 17), 0.5), np.full(4, 1e4))
    boxes = PersonBoxes(np.array([2, 2, 2, 1]), np.zeros((4, 4)), np.array([0.8, 1.0, 0.6, 0.9]), np.full(4, -1))
    results = finish_predictions(predictions, boxes, Protocol(nms_threshold=None, score=score), COCO)
    assert results.image_ids.tolist() == [1, 2, 2, 2]
    assert results.scores.tolist() == pytest.approx(expected)
