"""Benchmarks of attention contain all captures and measures."""

from tests.helpers.small_variants import small_variant
from transpose.benchmark.attention import compare_captures, compare_measures
from transpose.benchmark.networks import BenchmarkedNetwork
from transpose.config.attention import AttentionMeasures

SUBJECT = BenchmarkedNetwork(small_variant("resnet"), batch_size=2, device="cpu", threads=1)


def test_every_capture_is_timed() -> None:
    result = compare_captures(SUBJECT, rounds=1)
    assert [timing.name.split()[0] for timing in result.timings] == ["plain", "rows", "rows", "sum"]
    assert result.count == 2


def test_every_measure_is_timed() -> None:
    names = {timing.name for timing in compare_measures(SUBJECT, AttentionMeasures(patch=8), rounds=1).timings}
    assert {"forward pass with capture", "rollout", "gradient x input", "masking patches"} <= names
    assert sum(name.startswith("knock-out") for name in names) == 3
