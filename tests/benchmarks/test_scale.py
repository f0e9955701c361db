"""Time and memory by number of persons; loading processes share the memory that grows with it."""

import pytest

from benchmarks.evaluator_scale import evaluator_scale
from benchmarks.fresh_processes import in_fresh_processes
from benchmarks.loader_scale import loader_scale
from benchmarks.split_scale import split_scale

pytestmark = pytest.mark.slow


def test_a_loading_process_does_not_copy_what_it_reads() -> None:
    # In a fresh process: a fork copies pages that earlier code has freed when it reuses them.
    (scale,) = in_fresh_processes(loader_scale, [50_000])
    assert scale.persons == 50_000
    # 20,000 names alone are 1.2 MB.
    assert scale.copied_mb < 0.7
    assert scale.worker_mb > scale.copied_mb


def test_few_persons_are_measured_too() -> None:
    scale = loader_scale(50)
    assert scale.persons == 50
    assert min(scale.build_seconds, scale.sample_microseconds, scale.worker_mb) > 0


def test_the_evaluator_counts_what_it_evaluated() -> None:
    small, large = evaluator_scale(10), evaluator_scale(40)
    assert (small.persons, small.detections, small.images) == (10, 70, 5)
    assert (large.persons, large.detections, large.images) == (40, 280, 20)
    assert small.memory_mb > 0
    assert small.input_mb == pytest.approx(80 * 17 * 3 * 8 / 1e6)


def test_the_files_of_a_split_are_read() -> None:
    scales = {scale.name: scale for scale in split_scale(50)}
    assert set(scales) == {"annotations.json", "images.zip", "digests.json"}
    assert min(scale.file_mb for scale in scales.values()) > 0
    # 50 outlines alone are 21 kB.
    assert scales["annotations.json"].file_mb > 0.03
