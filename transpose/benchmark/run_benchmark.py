"""Run a benchmark: the selected parts of the selected variants."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import psutil

from transpose.benchmark.comparison import SpeedComparison
from transpose.benchmark.exported import exported_files, exported_forms
from transpose.benchmark.networks import BenchmarkedNetwork, compare_networks, inference_forms, training_comparisons
from transpose.benchmark.parts import Part
from transpose.benchmark.report import BenchmarkReport, NetworkCost
from transpose.config.training import Dtype
from transpose.config.variant import Variant
from transpose.cost import count_operations, count_parameters
from transpose.device import describe_machine, resolve_device
from transpose.errors import InputError
from transpose.models.variants import build_model
from transpose.skeleton import COCO_PERSON


@dataclass(frozen=True)
class Order:
    """Selection of parts, variants and settings of a benchmark."""

    variants: tuple[Variant, ...]
    parts: frozenset[Part]
    batch_sizes: tuple[int, ...]
    """Batch sizes of inference; training uses the largest."""
    dtypes: tuple[Dtype, ...]
    """Dtypes of the networks."""
    baseline: bool
    """Whether to time the naive network too."""
    compiled: bool
    """Whether to time compiled networks too."""
    exported: bool
    """Whether to time exported files too, on the CPU, and the model in the fastest runtime."""
    processor_time: bool
    """Whether to compare processor seconds instead of elapsed ones, on the CPU."""
    rounds: int
    threads: int
    """CPU threads of the networks."""
    device: str


def run_benchmark(order: Order) -> BenchmarkReport:
    """Run all comparisons of a selection.

    Raises:
        InputError: the machine lacks the device, a dtype or a compiler, or exported files are to be timed on a GPU.
        ModuleNotFoundError: see `exported_files`.
    """
    device = resolve_device(order.device, "fp32", order.threads).device
    for option, is_given in (("--exported", order.exported), ("--processor-time", order.processor_time)):
        if is_given and device.type != "cpu":
            raise InputError("is of the CPU: add --device cpu", file=option)
    if "tf32" in order.dtypes and device.type != "cuda":
        raise InputError(f"needs CUDA, and this runs on {device.type}", file="--tf32")
    load = f"{psutil.getloadavg()[0]:.2f}"
    comparisons = [
        comparison
        for part in Part
        if part in order.parts
        for variant in order.variants
        for comparison in _comparisons_of(variant, part, order)
    ]
    return BenchmarkReport(
        networks=tuple(map(_network_cost, order.variants)),
        comparisons=tuple(comparisons),
        threads=order.threads,
        machine=describe_machine(device) | {"load_average_1_min": load},
    )


def _network_cost(variant: Variant) -> NetworkCost:
    model = build_model(variant, len(COCO_PERSON))
    return NetworkCost(
        title=variant.title,
        input_size=variant.input_size,
        parameters=count_parameters(model, variant),
        operations=count_operations(model, variant.input_size),
    )


def _comparisons_of(variant: Variant, part: Part, order: Order) -> Iterator[SpeedComparison]:
    """Yield the comparisons of one variant: inference at each batch size, training at the largest."""
    networks = [
        BenchmarkedNetwork(variant, size, order.device, order.threads) for size in sorted(set(order.batch_sizes))
    ]
    if part is Part.INFERENCE:
        with exported_files(networks[0]) if order.exported else nullcontext() as files:
            for network in networks:
                forms = inference_forms(network, order.baseline, order.dtypes, order.compiled)
                if files is not None:
                    forms += exported_forms(network, files, order.dtypes)
                yield compare_networks(network, part, forms, order.rounds, order.processor_time)
    else:
        for forms in training_comparisons(networks[-1], order.baseline, order.dtypes, order.compiled):
            yield compare_networks(networks[-1], part, forms, order.rounds, order.processor_time)
