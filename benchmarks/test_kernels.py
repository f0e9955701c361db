"""Benchmarks of single kernels by pytest-benchmark (`make bench`), without assertions on time."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.random_data import RandomAnnotations, random_annotations, random_heatmaps
from benchmarks.stages import suppress_all_at_once
from transpose.codec.decode import argmax_decode, dark_decode, quarter_decode
from transpose.codec.encode import gaussian_heatmaps
from transpose.config.training import Augmentation
from transpose.data.augment import sample_augmentation
from transpose.data.crops import crop_image
from transpose.data.normalise import normalise
from transpose.evaluation.bootstrap import bootstrap_interval
from transpose.evaluation.oks import evaluate_keypoints
from transpose.inference.flip import flip_back
from transpose.models.encoder import EncoderLayer
from transpose.skeleton import COCO_PERSON

INPUT_SIZE, HEATMAP_SIZE, BATCH_SIZE = (256, 192), (64, 48), 16


@pytest.fixture(scope="module")
def heatmaps() -> np.ndarray:
    return random_heatmaps(BATCH_SIZE, seed=0)


@pytest.fixture(scope="module")
def people() -> RandomAnnotations:
    return random_annotations(images=200, persons=400, detections=4_000, seed=0)


@pytest.mark.parametrize("decode", [argmax_decode, quarter_decode, dark_decode])
def test_decoding_a_batch(
    benchmark: BenchmarkFixture, decode: Callable[[np.ndarray], object], heatmaps: np.ndarray
) -> None:
    benchmark(decode, heatmaps)


def test_turning_mirrored_heatmaps_back(benchmark: BenchmarkFixture, heatmaps: np.ndarray) -> None:
    benchmark(flip_back, torch.from_numpy(heatmaps), COCO_PERSON)


def test_warping_a_crop(benchmark: BenchmarkFixture) -> None:
    image = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    affine = np.array([[0.7, 0.2, -60.0], [-0.2, 0.7, 20.0]])
    benchmark(crop_image, image, affine, INPUT_SIZE)


def test_normalising_a_batch(benchmark: BenchmarkFixture) -> None:
    benchmark(normalise, torch.randint(0, 256, (BATCH_SIZE, *INPUT_SIZE, 3), dtype=torch.uint8))


def test_drawing_an_augmentation(benchmark: BenchmarkFixture) -> None:
    rng = np.random.default_rng(0)
    keypoints = np.concatenate(
        [rng.uniform(0, 200, (len(COCO_PERSON), 2)), np.full((len(COCO_PERSON), 1), 2.0)], axis=1
    )
    center, scale = np.array([100.0, 100.0]), np.array([1.0, 1.25])
    benchmark(sample_augmentation, keypoints, center, scale, COCO_PERSON, INPUT_SIZE, Augmentation(), rng)


def test_making_target_heatmaps(benchmark: BenchmarkFixture) -> None:
    points = torch.rand(BATCH_SIZE, len(COCO_PERSON), 2) * 48
    benchmark(gaussian_heatmaps, points, torch.ones(BATCH_SIZE, len(COCO_PERSON)), HEATMAP_SIZE, 2.0)


@pytest.mark.parametrize("tokens", [768, 3072])
@torch.inference_mode()
def test_an_encoder_layer(benchmark: BenchmarkFixture, tokens: int) -> None:
    layer = EncoderLayer(96, 1, 192, dropout=0.0, attention_dropout=0.0).eval()
    benchmark(layer, torch.randn(1, tokens, 96), torch.randn(tokens, 1, 96))


def test_rescoring_and_suppression(benchmark: BenchmarkFixture, people: RandomAnnotations) -> None:
    benchmark(suppress_all_at_once, people)


def test_evaluation(benchmark: BenchmarkFixture, people: RandomAnnotations) -> None:
    benchmark(evaluate_keypoints, people.annotations, people.detections, COCO_PERSON)


def test_bootstrap(benchmark: BenchmarkFixture, people: RandomAnnotations) -> None:
    matches = evaluate_keypoints(people.annotations, people.detections, COCO_PERSON).matches
    benchmark(bootstrap_interval, matches, samples=100, seed=0)
