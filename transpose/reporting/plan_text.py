"""Text of the forecast of a study's cost."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from transpose.config.download import load_archives
from transpose.forecast.jobs import Jobs
from transpose.forecast.network import Networks
from transpose.forecast.persons import Crops
from transpose.forecast.plan import DiskItem, StudyForecast, VariantForecast, forecast_jobs
from transpose.machine import cpu_name
from transpose.study.plan import Plan

CARDS = (11, 24, 80)
"""Memory sizes of common GPUs in GiB."""

UNKNOWN = "?"
NONE = "-"


def render_plan(plan: Plan, jobs: Jobs, networks: Networks, downloads: Path, subject: str) -> str:
    """Return time, memory and disk space of a study's jobs, with the assumptions behind them.

    Args:
        downloads: table of downloads.
        subject: what the jobs are, for the first line.

    Raises:
        InputError: the table of downloads or an annotation file is wrong.
    """
    forecast = forecast_jobs(plan, jobs, networks, load_archives(downloads))
    return "\n\n".join("\n".join(part) for part in _parts(forecast, subject))


def _parts(forecast: StudyForecast, subject: str) -> Iterator[list[str]]:
    variants = forecast.variants
    counts = {
        "training": sum(variant.trainings for variant in variants),
        "prediction": sum(variant.predictions for variant in variants),
    }
    numbers = [f"{count} {what}{'s' * (count > 1)}" for what, count in counts.items() if count] or ["downloads"]
    yield [f"Forecast of {subject}: {' and '.join(numbers)}", f"on {_device(forecast)}"]
    if variants:
        yield _columns([_headings(forecast), *(_row(variant, forecast) for variant in variants), _totals(forecast)])
        yield ["persons", *_crop_lines(forecast)]
    yield ["disk, GB", *_disk_lines(forecast.disk)]
    if variants:
        yield ["assumed (`forecast` in the study's file; config/README.md has the sources)", *_assumptions(forecast)]


def _device(forecast: StudyForecast) -> str:
    if forecast.device == "GPU":
        return "one GPU of an assumed speed"
    training = sorted({variant.training_threads for variant in forecast.variants if variant.trainings})
    counts = {"training": training, "prediction": [forecast.prediction_threads]}
    threads = ", ".join(f"{' or '.join(map(str, each))} a {job}" for job, each in counts.items() if each)
    return f"this machine's CPU ({cpu_name()}), measured\nthreads: {threads}; several jobs may run at a time"


def _headings(forecast: StudyForecast) -> tuple[str, ...]:
    memory = ("GPU GiB", "card") if forecast.device == "GPU" else ("RAM GiB",)
    return ("variant", "params M", "GMACs", "crops M", "train", "validate", "predict", "batch", *memory)


def _row(variant: VariantForecast, forecast: StudyForecast) -> tuple[str, ...]:
    persons = forecast.crops.train.number
    crops = None if persons is None else persons * variant.training.epochs * variant.trainings / 1e6
    seconds = variant.seconds
    return (
        variant.name,
        f"{variant.work.parameters / 1e6:.2f}",
        f"{variant.work.macs / 1e9:.3f}",
        _number(crops) if variant.trainings else NONE,
        *map(_duration, (seconds.train, seconds.validate, seconds.predict)),
        str(variant.training.batch_size) if variant.trainings else NONE,
        *_memory(variant.memory_bytes, forecast),
    )


def _totals(forecast: StudyForecast) -> tuple[str, ...]:
    seconds = [variant.seconds for variant in forecast.variants]
    columns = ([s.train for s in seconds], [s.validate for s in seconds], [s.predict for s in seconds])
    largest = max((variant.memory_bytes or 0 for variant in forecast.variants), default=0) or None
    return ("all", "", "", "", *(_duration(_total(column)) for column in columns), "", *_memory(largest, forecast))


def _memory(size: int | None, forecast: StudyForecast) -> tuple[str, ...]:
    """Return the cells with memory and, on a GPU, the smallest card that a training fits on."""
    if size is None:
        return (NONE, NONE) if forecast.device == "GPU" else (NONE,)
    gib = size / 2**30
    return (f"{gib:.1f}", _card(gib)) if forecast.device == "GPU" else (f"{gib:.1f}",)


def _card(gib: float) -> str:
    return next((f"{size} GB" for size in CARDS if gib <= size), f"> {CARDS[-1]} GB")


def _crop_lines(forecast: StudyForecast) -> list[str]:
    crops, is_trained = forecast.crops, any(variant.trainings for variant in forecast.variants)
    named = {"training": crops.train, "validation": crops.validation} if is_trained else {}
    named |= {f"{s.dataset} {s.split}, {s.boxes} boxes": count for s, count in crops.predicted.items()}
    return ["  " + line for line in _columns([(what, *_count(count)) for what, count in named.items()])]


def _count(crops: Crops) -> tuple[str, str]:
    return (UNKNOWN if crops.number is None else f"{crops.number:,}", f"  {crops.origin}")


def _disk_lines(disk: Sequence[DiskItem]) -> list[str]:
    rows = [(item.what + (", temporary" if item.passing else ""), _gigabytes(item.bytes)) for item in disk]
    return ["  " + line for line in _columns([*rows, ("all", _gigabytes(_total([item.bytes for item in disk])))])]


def _gigabytes(size: float | None) -> str:
    return _number(None if size is None else size / 1e9)


def _assumptions(forecast: StudyForecast) -> list[str]:
    settings = forecast.assumptions
    lines = [f"a job takes {settings.start_seconds:g} s to start, and the network never waits for images"]
    if forecast.device == "GPU":
        lines += [
            f"{settings.training_tflops:g} TFLOP/s sustained in training, {settings.inference_tflops:g} in prediction;"
            " times are GPU hours, without speed-up by several",
            "  for your GPU: run `transpose cost VARIANT`, then GMACs x images/s / 500",
            f"a backward pass costs {settings.backward_passes:g} forward passes",
            f"memory: {settings.state_bytes_per_parameter} bytes per parameter, what autograd keeps of one batch, and"
            f" {settings.overhead_bytes / 2**30:.1f} GiB overhead",
            "attention is fused, as on CUDA, also with dropout",
        ]
    else:
        lines += [
            "training steps and forward passes were timed here, without the time that other programs took",
            "  large networks were not timed: they have the speed of the largest that was",
            f"memory: {settings.state_bytes_per_parameter} bytes per parameter and what autograd keeps of one batch,"
            " without the process itself and images",
            "`transpose plan STUDY --device cuda` forecasts a GPU",
        ]
    return [
        *(f"  {line}" for line in lines),
        "  not counted: rendered images, downloaded weights, attention maps, tables and figures; predictions for",
        "    submissions, other input sizes and the protocol ablation; attention analyses",
    ]


def _total(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _duration(seconds: float | None) -> str:
    """Format a time in the unit that leaves it a readable number."""
    if seconds is None:
        return UNKNOWN
    for unit, length in (("s", 1), ("min", 60)):
        if seconds < 100 * length:
            return f"{seconds / length:.{0 if unit == 's' else 1}f} {unit}" if seconds else NONE
    return f"{_number(seconds / 3600)} h"


def _number(value: float | None) -> str:
    """Format a number with about three digits."""
    if value is None:
        return UNKNOWN
    if 0 < value < 1e-3:
        return "<0.001"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.3f}"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Format rows as lines: first column and text aligned left, numbers aligned right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if not position or cell.startswith("  ") else cell.rjust(width)
            for position, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
