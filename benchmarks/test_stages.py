"""Benchmarks of stages against plain implementations. The results of both must be equal."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.coco_sized import write_coco_sized
from benchmarks.random_data import RandomAnnotations, random_annotations, random_heatmaps, write_annotations
from benchmarks.stages import (
    decode_all_at_once,
    decode_keypoint_by_keypoint,
    evaluate_by_package,
    evaluate_by_pycocotools,
    suppress_all_at_once,
    suppress_person_by_person,
)
from benchmarks.training_samples import naive_batch, our_batch, samples_of
from transpose.data.coco import CocoAnnotations, load_annotations, training_instances
from transpose.evaluation.results import write_results
from transpose.skeleton import COCO_PERSON

PERSONS = 256
"""Persons whose heatmaps are decoded."""
BATCH_SIZE = 16


@pytest.fixture(scope="module")
def annotations(tmp_path_factory: pytest.TempPathFactory) -> CocoAnnotations:
    """Annotations of photographs of 640x480 pixels and about 160 KB."""
    return load_annotations(write_coco_sized(tmp_path_factory.mktemp("coco_sized") / "data"), COCO_PERSON)


@pytest.mark.benchmark(group=f"training samples, {BATCH_SIZE}")
def test_plain_training_samples(benchmark: BenchmarkFixture, annotations: CocoAnnotations) -> None:
    samples, instances = samples_of(annotations, disk_bytes=0), training_instances(annotations)
    batch = samples.order(0)[:BATCH_SIZE]
    benchmark.pedantic(lambda: naive_batch(annotations, instances, samples, batch), rounds=7, warmup_rounds=1)


@pytest.mark.benchmark(group=f"training samples, {BATCH_SIZE}")
@pytest.mark.parametrize("disk_bytes", [0, 10**9], ids=["images decoded", "images kept on disk"])
def test_training_samples(benchmark: BenchmarkFixture, annotations: CocoAnnotations, disk_bytes: int) -> None:
    samples = samples_of(annotations, disk_bytes)
    batch = samples.order(0)[:BATCH_SIZE]
    # Every round makes the same samples, so the warm-up fills the disk cache.
    benchmark.pedantic(lambda: our_batch(samples, batch), rounds=7, warmup_rounds=1)


@pytest.fixture(scope="module")
def heatmaps() -> np.ndarray:
    return random_heatmaps(PERSONS, seed=0)


@pytest.mark.benchmark(group=f"DARK decoding, {PERSONS} persons, 17 heatmaps of 64x48")
@pytest.mark.parametrize("decode", [decode_keypoint_by_keypoint, decode_all_at_once])
def test_decoding(
    benchmark: BenchmarkFixture, heatmaps: np.ndarray, decode: Callable[[np.ndarray], np.ndarray]
) -> None:
    points = benchmark.pedantic(lambda: decode(heatmaps), rounds=5, warmup_rounds=1)
    np.testing.assert_allclose(points, decode_all_at_once(heatmaps), rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def official_detections() -> RandomAnnotations:
    """As many images and detections as in COCO val2017's official file."""
    return random_annotations(images=5_000, persons=10_000, detections=104_125, seed=0)


@pytest.mark.benchmark(group="rescoring and OKS-NMS, 104,125 detections")
@pytest.mark.parametrize("suppress", [suppress_person_by_person, suppress_all_at_once])
def test_suppression(
    benchmark: BenchmarkFixture,
    official_detections: RandomAnnotations,
    suppress: Callable[[RandomAnnotations], np.ndarray],
) -> None:
    kept = benchmark.pedantic(lambda: suppress(official_detections), rounds=3, warmup_rounds=1)
    np.testing.assert_array_equal(kept, suppress_all_at_once(official_detections))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Files of annotations and results, with the numbers of COCO val2017 on detector boxes."""
    people = random_annotations(images=5_000, persons=11_004, detections=80_809, seed=0)
    folder = tmp_path_factory.mktemp("evaluated")
    write_annotations(people.annotations, folder / "annotations.json")
    write_results(people.detections, folder / "results.json")
    return folder / "annotations.json", folder / "results.json"


@pytest.mark.benchmark(group="COCO keypoint evaluation from files, 80,809 results")
@pytest.mark.parametrize("evaluate", [evaluate_by_pycocotools, evaluate_by_package])
def test_evaluation(
    benchmark: BenchmarkFixture, files: tuple[Path, Path], evaluate: Callable[[Path, Path], dict[str, float]]
) -> None:
    statistics = benchmark.pedantic(lambda: evaluate(*files), rounds=3, warmup_rounds=1)
    assert statistics == pytest.approx(evaluate_by_package(*files), abs=1e-9)
