"""Golden numbers of the official evaluation: decoding, flip, loss, learning rate, rescoring, suppression, OKS."""

import json

import numpy as np
import pytest
import torch

from transpose.config.training import CosineSchedule
from transpose.evaluation.oks import evaluate_keypoints, second_opinion
from transpose.evaluation.results import PoseResults
from transpose.inference.decode import argmax_decode, dark_decode, heatmap_to_image
from transpose.inference.flip import flip_back
from transpose.inference.nms import oks_nms, rescore
from transpose.skeleton import COCO
from transpose.training.loss import heatmap_loss
from transpose.training.schedule import learning_rate

ILL_CONDITIONED = 3.0
"""Heatmap pixels of offset beyond which the Taylor step tells nothing."""


@pytest.fixture(scope="module")
def decoding(reference_dir):
    with np.load(reference_dir / "decode.npz") as content:
        return dict(content)


@pytest.fixture(scope="module")
def suppression(reference_dir):
    """The golden file and its persons as arrays: keypoints, rescored, areas, image ids."""
    golden = json.loads((reference_dir / "evaluation_predictions.json").read_text())
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
    with np.load(reference_dir / "loss.npz") as golden, np.load(reference_dir / "targets.npz") as targets:
        predicted, chosen = torch.from_numpy(golden["pred"]), golden["targets_index"]
        target, weights = (torch.from_numpy(targets[name][chosen]) for name in ("heatmaps", "weights"))
        expected = float(golden["loss_weighted"]), float(golden["loss_unweighted"])
    measured = (heatmap_loss(predicted, target, each).item() for each in (weights, torch.ones_like(weights)))
    assert tuple(measured) == pytest.approx(expected, abs=1e-6)


def test_learning_rate(reference_dir):
    golden = json.loads((reference_dir / "learning_rate.json").read_text())
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
    path = reference_dir / "evaluation_gt.json"
    expected = pytest.approx(suppression[0]["stats"], abs=1e-9)
    assert evaluate_keypoints(path, results, COCO).statistics == expected
    opinion = second_opinion(path, results, COCO)
    assert opinion is None or opinion == expected
