"""Text of the forecast of a study's cost."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from transpose.config.download import load_archives
from transpose.config.forecast import ForecastSettings
from transpose.forecast.persons import Crops, StudyCrops
from transpose.forecast.plan import DiskItem, StudyForecast, VariantForecast, forecast_study
from transpose.study.plan import Plan

CARDS = (11, 24, 80)
"""Memory sizes of common GPUs in GiB."""

UNKNOWN = "?"
_HEADINGS = (
    "variant",
    "params M",
    "GMACs",
    "crops M",
    "train h",
    "validate h",
    "predict h",
    "batch",
    "GPU GiB",
    "unfused",
    "card",
)


def render_plan(plan: Plan, downloads: Path) -> str:
    """Return GPU hours, GPU memory and disk space of a study, with the assumptions behind them.

    Raises:
        InputError: the table of downloads or an annotation file is wrong.
    """
    forecast = forecast_study(plan, load_archives(downloads))
    return "\n\n".join("\n".join(part) for part in _parts(forecast))


def _parts(forecast: StudyForecast) -> Iterator[list[str]]:
    trained = sum(variant.training.source == "trained" for variant in forecast.variants) * forecast.seeds
    runs = f"{trained} trainings" if trained else f"{len(forecast.variants)} released checkpoints"
    yield [f"Forecast of the whole study {forecast.study!r}, {runs}, including parts that exist already:"]
    rows = [_row(variant, forecast) for variant in forecast.variants]
    yield _columns([_HEADINGS, *rows, _totals(forecast)])
    yield ["persons", *_crop_lines(forecast.crops)]
    yield ["disk, GB", *_disk_lines(forecast.disk)]
    yield ["assumed (`forecast` in the study's file; config/README.md has the sources)", *_assumptions(forecast)]


def _row(variant: VariantForecast, forecast: StudyForecast) -> tuple[str, ...]:
    persons = forecast.crops.train.number
    crops = None if persons is None else persons * variant.training.epochs * forecast.seeds / 1e6
    hours = variant.hours
    return (
        variant.name,
        f"{variant.work.parameters / 1e6:.2f}",
        f"{variant.work.macs / 1e9:.3f}",
        *map(_number, (crops, hours.train, hours.validate, hours.predict)),
        str(variant.training.batch_size),
        f"{_gib(variant.memory_bytes):.1f}",
        f"{_gib(variant.memory_unfused_bytes):.1f}",
        _card(variant.memory_bytes),
    )


def _totals(forecast: StudyForecast) -> tuple[str, ...]:
    hours = [variant.hours for variant in forecast.variants]
    columns = ([h.train for h in hours], [h.validate for h in hours], [h.predict for h in hours])
    largest = max(variant.memory_bytes for variant in forecast.variants)
    sums = [_number(_total(column)) for column in columns]
    return ("all", "", "", "", *sums, "", f"{_gib(largest):.1f}", "", _card(largest))


def _card(memory: int) -> str:
    """Return the smallest GPU that a training fits on."""
    return next((f"{size} GB" for size in CARDS if _gib(memory) <= size), f"> {CARDS[-1]} GB")


def _crop_lines(crops: StudyCrops) -> list[str]:
    named = {"training": crops.train, "validation": crops.validation} | dict(crops.predicted)
    return ["  " + line for line in _columns([(what, *_count(count)) for what, count in named.items()])]


def _count(crops: Crops) -> tuple[str, str]:
    return (UNKNOWN if crops.number is None else f"{crops.number:,}", f"  {crops.origin}")


def _disk_lines(disk: Sequence[DiskItem]) -> list[str]:
    rows = [(item.what + (", temporary" if item.passing else ""), _gigabytes(item.bytes)) for item in disk]
    return ["  " + line for line in _columns([*rows, ("all", _gigabytes(_total([item.bytes for item in disk])))])]


def _gigabytes(size: float | None) -> str:
    return _number(None if size is None else size / 1e9)


def _assumptions(forecast: StudyForecast) -> list[str]:
    settings: ForecastSettings = forecast.assumptions
    return [
        f"  {settings.training_tflops:g} TFLOP/s sustained in training, {settings.inference_tflops:g} in prediction",
        "    for your GPU: run `transpose cost VARIANT`, then GMACs x images/s / 500",
        f"  a backward pass costs {settings.backward_passes:g} forward passes; the GPU never waits for images",
        f"  GPU memory: {settings.state_bytes_per_parameter} bytes per parameter, activations kept for one batch, and"
        f" {_gib(settings.overhead_bytes):.1f} GiB overhead",
        "  attention is fused, as on CUDA, also with dropout; `unfused` stores the L x L weights of each layer",
        "  not counted: rendered images, downloaded weights, attention maps, tables and figures; predictions for",
        "    submissions, other input sizes and the protocol ablation; attention analyses",
    ]


def _total(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _gib(size: float) -> float:
    return size / 2**30


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
