"""Benchmarks as records and text, and their comparison with an earlier benchmark."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.helpers.small_variants import small_variant
from transpose.benchmark.comparison import Candidate, compare_speed
from transpose.benchmark.evaluator_scale import EvaluatorScale
from transpose.benchmark.growth import Growth
from transpose.benchmark.growth_figure import plot_growth
from transpose.benchmark.loader import WorkersEstimate
from transpose.benchmark.loader_scale import LoaderScale
from transpose.benchmark.parts import Part
from transpose.benchmark.report import BenchmarkReport, changes_since, read_benchmark
from transpose.benchmark.run_benchmark import Order, run_benchmark
from transpose.benchmark.text import render_benchmark, render_changes
from transpose.cli.app import app
from transpose.errors import InputError
from transpose.files import write_json


def order(*parts: Part, variants: int = 1) -> Order:
    return Order(
        variants=(small_variant("resnet"),) * variants,
        parts=frozenset(parts),
        batch_sizes=(2, 1),
        dtypes=("fp32",),
        baseline=True,
        compiled=False,
        rounds=1,
        threads=1,
        device="cpu",
    )


def benchmark(speed: float, cpu: str = "a", name: str = "ours") -> BenchmarkReport:
    result = compare_speed("Decoding", "persons", 1, [Candidate("plain", int), Candidate(name, int)], rounds=1)
    timings = tuple(timing.model_copy(update={"per_second": speed}) for timing in result.timings)
    machine = {"device": "cpu", "cpu": cpu, "cores": "2", "torch": "2"}
    comparisons = (result.model_copy(update={"timings": timings}),)
    return BenchmarkReport(machine=machine, threads=1, networks=(), comparisons=comparisons)


def test_parts_of_a_variant_become_comparisons_and_the_record_reads_back(tmp_path: Path) -> None:
    result = run_benchmark(order(Part.INFERENCE))
    assert [comparison.title for comparison in result.comparisons] == [
        "small, inference, batch 1",
        "small, inference, batch 2",
    ]
    assert result.networks[0].operations.macs > 0
    assert (result.workers, result.growth) == (None, None)
    write_json(tmp_path / "benchmark.json", result.model_dump(mode="json"))
    assert read_benchmark(tmp_path / "benchmark.json") == result
    text = render_benchmark(result)
    assert all(timing.name in text for comparison in result.comparisons for timing in comparison.timings)
    assert text.count("% of peak") == 6


def test_a_part_of_variants_needs_one() -> None:
    with pytest.raises(InputError, match="VARIANT: missing; training is timed for variants"):
        run_benchmark(order(Part.TRAINING, Part.DECODER, variants=0))


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
    result = CliRunner().invoke(app, ["cost", "--part", "decoder", "--against", str(earlier)])
    assert isinstance(result.exception, InputError)
    assert "earlier.json" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--part", "loader", "--figure", "x.png"), "--figure: does nothing without --part growth"),
        (("--part", "training", "--compiled"), "--compiled: does nothing without --part inference"),
        (("--part", "decoder", "--bf16"), "--bf16: does nothing without --part inference or training"),
        (("--part", "growth", "--baseline"), "--baseline: does nothing without --part inference or training"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(arguments: tuple[str, ...], line: str) -> None:
    result = CliRunner().invoke(app, ["cost", *arguments])
    assert isinstance(result.exception, InputError)
    assert str(result.exception) == f"cost: {line}"


def test_what_is_computed_says_so_and_growth_is_shown(tmp_path: Path) -> None:
    growth = Growth(loader=(loader_scale(10), loader_scale(100)), evaluator=(evaluator_scale(10), evaluator_scale(100)))
    workers = WorkersEstimate(workers=8, per_second={"exact": 800.0})
    text = render_benchmark(benchmark(1.0).model_copy(update={"workers": workers, "growth": growth}))
    assert "8 loading processes: computed, not measured" in text
    assert text.count("100 persons") == 2
    plot_growth(growth, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")


def loader_scale(persons: int) -> LoaderScale:
    numbers = {name: float(persons) for name, field in LoaderScale.model_fields.items() if field.annotation is float}
    return LoaderScale.model_validate({"persons": persons, **numbers})


def evaluator_scale(persons: int) -> EvaluatorScale:
    numbers = {name: float(persons) for name, field in EvaluatorScale.model_fields.items() if field.annotation is float}
    return EvaluatorScale.model_validate({"persons": persons, "detections": persons, "images": 1, **numbers})
