"""Commands that measure the cost of networks."""

from pathlib import Path
from typing import Annotated

import typer

from transpose.benchmark.parts import Part
from transpose.cli.app import MEASURE, app, step
from transpose.cli.options import ResultsFolder
from transpose.errors import InputError


@app.command(
    rich_help_panel=MEASURE, epilog="Example: transpose cost config/variants/tp_r_a4.yaml --batch-size 16 --compiled"
)
def cost(
    variants: Annotated[
        list[Path],
        typer.Argument(help="Variant files (config/variants/NAME.yaml) or recipes (records/recipes/NAME.json)."),
    ],
    part: Annotated[list[Part] | None, typer.Option(help="Part to time; repeatable. Default: inference.")] = None,
    baseline: Annotated[bool, typer.Option(help="Also time a naive implementation, interleaved with ours.")] = False,
    compiled: Annotated[bool, typer.Option("--compiled", help="Also time compiled networks.")] = False,
    exported: Annotated[
        bool, typer.Option("--exported", help="Also time exported files in ONNX Runtime and OpenVINO, on the CPU.")
    ] = False,
    processor_time: Annotated[
        bool,
        typer.Option("--processor-time", help="Compare processor seconds, which other work on a CPU hardly changes."),
    ] = False,
    bf16: Annotated[bool, typer.Option("--bf16", help="Also time networks in bf16.")] = False,
    tf32: Annotated[bool, typer.Option("--tf32", help="Also time networks in TF32, on an NVIDIA GPU.")] = False,
    batch_size: Annotated[
        list[int] | None, typer.Option(min=1, help="Batch size; repeatable. Default: 1 and 16.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; medians are over rounds.")] = 5,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of a network.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    output: Annotated[Path | None, typer.Option("--output", help="JSON file to write.")] = None,
    against: Annotated[Path | None, typer.Option(help="JSON file of an earlier run; print ratios to it.")] = None,
) -> None:
    """Measure the speed and memory of networks.

    Prints parameters, operations, images per second, the share of this machine's peak and the memory of each variant.
    Writes nothing unless --output is given.
    """
    from transpose.benchmark.report import read_benchmark
    from transpose.benchmark.run_benchmark import Order, run_benchmark
    from transpose.benchmark.text import render_benchmark, render_changes
    from transpose.config.load import load_any_variant
    from transpose.files import write_json

    parts = frozenset(part or (Part.INFERENCE,))
    for option, is_given in (("--compiled", compiled), ("--exported", exported)):
        if is_given and Part.INFERENCE not in parts:
            raise InputError("does nothing without --part inference", file="cost", field=option)
    earlier = read_benchmark(against) if against else None
    order = Order(
        variants=tuple(map(load_any_variant, variants)),
        parts=parts,
        batch_sizes=tuple(batch_size or (1, 16)),
        dtypes=("fp32", *(("tf32",) if tf32 else ()), *(("bf16",) if bf16 else ())),
        baseline=baseline,
        compiled=compiled,
        exported=exported,
        processor_time=processor_time,
        rounds=rounds,
        threads=threads,
        device=device,
    )
    benchmark = run_benchmark(order)
    if output is not None:
        write_json(output, benchmark.model_dump(mode="json"))
    print(render_benchmark(benchmark))
    if earlier is not None:
        print("\n" + render_changes(earlier, benchmark))


@step.command()
def measure_cost(
    variant: Annotated[str, typer.Argument(help="Variant of the study.")],
    results: ResultsFolder,
    keypoints: Annotated[int, typer.Option(min=1, help="Number of keypoints.")],
) -> None:
    """Measure a variant's parameters, MACs and times.

    Writes cost/VARIANT.json.
    """
    from transpose.config.load import read_record
    from transpose.config.recipe import Recipe
    from transpose.config.study import Cost
    from transpose.cost import measure_recipe
    from transpose.files import write_json
    from transpose.study.layout import RecordKind, ResultsLayout

    layout = ResultsLayout(results)
    recipe = read_record(Recipe, layout.record(RecordKind.RECIPE, variant))
    settings = read_record(Cost, layout.record(RecordKind.COST))
    report = measure_recipe(recipe, settings, keypoints)
    write_json(layout.cost(variant), report.model_dump(mode="json"))
