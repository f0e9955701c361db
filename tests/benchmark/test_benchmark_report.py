"""Benchmarks as records and text, and their comparison with an earlier benchmark."""

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.helpers.small_variants import small_variant
from transpose.benchmark.comparison import Candidate, compare_speed
from transpose.benchmark.parts import Part
from transpose.benchmark.report import BenchmarkReport, changes_since, read_benchmark
from transpose.benchmark.run_benchmark import Order, run_benchmark
from transpose.benchmark.text import render_benchmark, render_changes
from transpose.cli.app import app
from transpose.errors import InputError
from transpose.files import write_json

pytestmark = pytest.mark.slow

VARIANT = "config/variants/r_sine.yaml"


def order(*parts: Part, exported: bool = False) -> Order:
    return Order(
        variants=(small_variant("resnet"),),
        parts=frozenset(parts),
        batch_sizes=(2, 1),
        dtypes=("fp32",),
        baseline=False,
        compiled=False,
        exported=exported,
        processor_time=exported,
        rounds=1,
        threads=1,
        device="cpu",
    )


def test_exported_files_are_timed_next_to_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transpose.benchmark.networks._SIDE", 64)
    monkeypatch.setattr("transpose.benchmark.exported.openvino_has_bf16", lambda: True)
    wanted = replace(order(Part.INFERENCE, exported=True), dtypes=("fp32", "bf16"), batch_sizes=(1,))
    result = run_benchmark(wanted)
    names = [[timing.name for timing in comparison.timings] for comparison in result.comparisons]
    in_fp32 = ["ONNX Runtime, fp32", "OpenVINO, fp32", "runtime auto, fp32"]
    assert names == [["fp32", "bf16", *in_fp32, "OpenVINO, bf16", "runtime auto, bf16"]]
    assert all(timing.per_second > 0 for comparison in result.comparisons for timing in comparison.timings)
    assert "processor time, medians" in render_benchmark(result)


def benchmark(speed: float, cpu: str = "a", name: str = "ours") -> BenchmarkReport:
    result = compare_speed("R-A3, inference", 1, [Candidate("plain", int), Candidate(name, int)], rounds=1)
    timings = tuple(timing.model_copy(update={"per_second": speed}) for timing in result.timings)
    machine = {"device": "cpu", "cpu": cpu, "cores": "2", "torch": "2"}
    comparisons = (result.model_copy(update={"timings": timings}),)
    return BenchmarkReport(machine=machine, threads=1, networks=(), comparisons=comparisons)


def test_parts_of_a_variant_become_comparisons_and_the_record_reads_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The peak is measured on products of 2048x2048.
    monkeypatch.setattr("transpose.benchmark.networks._SIDE", 64)
    result = run_benchmark(order(Part.INFERENCE))
    assert [comparison.title for comparison in result.comparisons] == [
        "small, inference, batch 1",
        "small, inference, batch 2",
    ]
    assert result.networks[0].operations.macs > 0
    write_json(tmp_path / "benchmark.json", result.model_dump(mode="json"))
    assert read_benchmark(tmp_path / "benchmark.json") == result
    text = render_benchmark(result)
    assert all(timing.name in text for comparison in result.comparisons for timing in comparison.timings)
    assert text.count("% of peak") == 2


def test_an_earlier_benchmark_is_compared_timing_by_timing() -> None:
    changes = changes_since(benchmark(100.0), benchmark(150.0, name="another way"))
    assert [(change.timing, change.ratio) for change in changes] == [("plain", 1.5)]
    assert "1.50 x" in render_changes(benchmark(100.0), benchmark(150.0))


def test_another_machine_is_reported() -> None:
    assert "not the same cpu" in render_changes(benchmark(1.0, cpu="a"), benchmark(1.0, cpu="b"))
    assert "not the same threads" in render_changes(benchmark(1.0), benchmark(1.0).model_copy(update={"threads": 2}))
    assert "not the same" not in render_changes(benchmark(1.0), benchmark(1.0))


def test_a_broken_earlier_benchmark_is_refused_before_anything_is_timed(tmp_path: Path) -> None:
    earlier = tmp_path / "earlier.json"
    earlier.write_text('{"machine": {}}')
    result = CliRunner().invoke(app, ["cost", VARIANT, "--against", str(earlier)])
    assert isinstance(result.exception, InputError)
    assert "earlier.json" in str(result.exception)


def test_an_option_that_would_do_nothing_is_refused() -> None:
    result = CliRunner().invoke(app, ["cost", VARIANT, "--part", "training", "--compiled"])
    assert isinstance(result.exception, InputError)
    assert str(result.exception) == "cost: --compiled: does nothing without --part inference"
