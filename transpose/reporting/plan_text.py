"""The forecast of a study's cost as text."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from transpose.config.download import load_archives
from transpose.config.forecast import ForecastSettings
from transpose.forecast.persons import Crops, StudyCrops
from transpose.forecast.plan import DiskItem, StudyForecast, VariantForecast, forecast_study
from transpose.study.plan import Plan

CARDS = (11, 24, 80)
"""Memory of common classes of cards in GiB."""

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
    """GPU hours, GPU memory and disk of a study, with what they rest on.

    Raises:
        InputError: the table of downloads, or a file that is counted, is wrong.
    """
    forecast = forecast_study(plan, load_archives(downloads))
    return "\n\n".join("\n".join(part) for part in _parts(forecast))


def _parts(forecast: StudyForecast) -> Iterator[list[str]]:
    trained = sum(variant.training.source == "trained" for variant in forecast.variants) * forecast.seeds
    runs = f"{trained} trainings" if trained else f"{len(forecast.variants)} released checkpoints"
    yield [f"Forecast of the whole study {forecast.study!r}, {runs}, whatever of it exists already:"]
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
    """The smallest class of cards that holds a training."""
    return next((f"{size} GB" for size in CARDS if _gib(memory) <= size), f"> {CARDS[-1]} GB")


def _crop_lines(crops: StudyCrops) -> list[str]:
    named = {"training": crops.train, "validation": crops.validation} | dict(crops.predicted)
    return ["  " + line for line in _columns([(what, *_count(count)) for what, count in named.items()])]


def _count(crops: Crops) -> tuple[str, str]:
    return (UNKNOWN if crops.number is None else f"{crops.number:,}", f"  {crops.origin}")


def _disk_lines(disk: Sequence[DiskItem]) -> list[str]:
    rows = [(item.what + (", for a time" if item.passing else ""), _gigabytes(item.bytes)) for item in disk]
    return ["  " + line for line in _columns([*rows, ("all", _gigabytes(_total([item.bytes for item in disk])))])]


def _gigabytes(size: float | None) -> str:
    return _number(None if size is None else size / 1e9)


def _assumptions(forecast: StudyForecast) -> list[str]:
    settings: ForecastSettings = forecast.assumptions
    return [
        f"  {settings.training_tflops:g} TFLOP/s sustained in training, {settings.inference_tflops:g} in prediction",
        "    yours: `transpose cost VARIANT` on your GPU, then GMACs x images/s / 500",
        f"  a backward pass is {settings.backward_passes:g} forward passes; loading images never holds the GPU up",
        f"  GPU memory: {settings.state_bytes_per_parameter} bytes a parameter, what autograd keeps of a batch,"
        f" {_gib(settings.overhead_bytes):.1f} GiB beside it",
        "  attention is fused, as on CUDA, with dropout too; `unfused` keeps the L x L weights of each layer",
        "  not counted: rendered images, others' weights, attention maps, tables and figures; predictions for",
        "    submissions, at other input sizes and for the protocol ablation; all measures of attention",
    ]


def _total(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _gib(size: float) -> float:
    return size / 2**30


def _number(value: float | None) -> str:
    """A figure with about three digits."""
    if value is None:
        return UNKNOWN
    if 0 < value < 1e-3:
        return "<0.001"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.3f}"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines: the first column to the left, origins in words too, all numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if not position or cell.startswith("  ") else cell.rjust(width)
            for position, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
