"""Verbs that measure what networks and stages cost."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from transpose.benchmark.parts import Part
from transpose.cli.app import app, step
from transpose.cli.options import ResultsFolder
from transpose.errors import InputError


@app.command()
def cost(
    variants: Annotated[
        list[Path] | None, typer.Argument(help="config/variants/NAME.yaml, or resolved recipes; as many as wanted.")
    ] = None,
    part: Annotated[list[Part] | None, typer.Option(help="What to time; may be given again and again.")] = None,
    baseline: Annotated[bool, typer.Option(help="Time naive networks in turns with ours.")] = False,
    compiled: Annotated[bool, typer.Option("--compiled", help="Time compiled networks too.")] = False,
    bf16: Annotated[bool, typer.Option("--bf16", help="Time networks in bf16 too.")] = False,
    batch_size: Annotated[list[int] | None, typer.Option(min=1, help="Of networks; may be given again.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Medians are of this many.")] = 5,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of networks.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    output: Annotated[Path | None, typer.Option("--output", help="JSON file to write.")] = None,
    figure: Annotated[Path | None, typer.Option(help="PNG of the part growth.")] = None,
    against: Annotated[Path | None, typer.Option(help="JSON file of an earlier call, to print ratios to.")] = None,
) -> None:
    """Measure speed, memory and share of the machine's peak of variants, and the speed of each stage around them."""
    from transpose.benchmark.growth_figure import plot_growth
    from transpose.benchmark.report import read_benchmark
    from transpose.benchmark.run import Order, run_benchmark
    from transpose.benchmark.text import render_benchmark, render_changes
    from transpose.config.load import load_any_variant
    from transpose.files import write_json

    parts = frozenset(part or (Part.INFERENCE,))
    _refuse_idle_options(
        parts,
        {
            "--figure": (figure is not None, {Part.GROWTH}),
            "--compiled": (compiled, {Part.INFERENCE}),
            "--bf16": (bf16, {Part.INFERENCE, Part.TRAINING}),
            "--baseline": (baseline, {Part.INFERENCE, Part.TRAINING}),
        },
    )
    earlier = read_benchmark(against) if against else None
    order = Order(
        variants=tuple(map(load_any_variant, variants or ())),
        parts=parts,
        batch_sizes=tuple(batch_size or (1, 16)),
        dtypes=("fp32", "bf16") if bf16 else ("fp32",),
        baseline=baseline,
        compiled=compiled,
        rounds=rounds,
        threads=threads,
        device=device,
    )
    benchmark = run_benchmark(order)
    if output is not None:
        write_json(output, benchmark.model_dump(mode="json"))
    if figure is not None and benchmark.growth is not None:
        plot_growth(benchmark.growth, figure)
    print(render_benchmark(benchmark))
    if earlier is not None:
        print("\n" + render_changes(earlier, benchmark))


def _refuse_idle_options(parts: frozenset[Part], options: Mapping[str, tuple[bool, set[Part]]]) -> None:
    """See that each option that was given has something to act on.

    Args:
        options: by name, whether it was given and the parts that it is for.

    Raises:
        InputError: it has not.
    """
    for name, (is_given, served) in options.items():
        if is_given and not parts & served:
            raise InputError("cost", None, name, f"does nothing without --part {' or '.join(sorted(served))}")


@step.command()
def measure_cost(
    variant: Annotated[str, typer.Argument(help="A variant of the study.")],
    results: ResultsFolder,
    keypoints: Annotated[int, typer.Option(min=1, help="Heatmaps of the model.")],
) -> None:
    """Measure parameters, multiply-accumulates and times of a variant, as the study's table shows them."""
    from transpose.config.load import read_record
    from transpose.config.recipe import Recipe
    from transpose.config.study import Cost
    from transpose.cost import measure_variant
    from transpose.files import write_json
    from transpose.study.layout import RecordKind, ResultsLayout

    layout = ResultsLayout(results)
    recipe = read_record(Recipe, layout.record(RecordKind.RECIPE, variant))
    settings = read_record(Cost, layout.record(RecordKind.COST))
    report = measure_variant(recipe.variant, settings, keypoints, recipe.training.device)
    write_json(layout.cost(variant), report.model_dump(mode="json"))
