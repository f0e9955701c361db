"""Run a benchmark: the selected parts of the selected variants."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import psutil

from transpose.benchmark.attention import compare_captures, compare_measures
from transpose.benchmark.comparison import SpeedComparison
from transpose.benchmark.decoder import compare_decoders
from transpose.benchmark.evaluator import compare_evaluators
from transpose.benchmark.growth import measure_growth
from transpose.benchmark.loader import compare_training_samples, with_workers
from transpose.benchmark.networks import BenchmarkedNetwork, compare_networks, inference_forms, training_comparisons
from transpose.benchmark.one_thread import one_thread
from transpose.benchmark.parts import OF_VARIANTS, Part
from transpose.benchmark.report import BenchmarkReport, NetworkCost
from transpose.benchmark.suppression import compare_suppressions
from transpose.config.attention import AttentionMeasures
from transpose.config.training import Dtype
from transpose.config.variant import Variant
from transpose.cost import count_operations, count_parameters
from transpose.device import describe_machine, resolve_device
from transpose.errors import InputError
from transpose.models.variants import build_model
from transpose.skeleton import COCO_PERSON

_STAGES: Mapping[Part, Callable[[int], SpeedComparison]] = {
    Part.LOADER: lambda rounds: compare_training_samples(rounds=rounds),
    Part.DECODER: lambda rounds: compare_decoders(rounds=rounds),
    Part.SUPPRESSION: lambda rounds: compare_suppressions(rounds=rounds),
    Part.EVALUATOR: lambda rounds: compare_evaluators(rounds=rounds),
}


@dataclass(frozen=True)
class Order:
    """Selection of parts, variants and settings of a benchmark."""

    variants: tuple[Variant, ...]
    parts: frozenset[Part]
    batch_sizes: tuple[int, ...]
    """Batch sizes of inference; training and attention use the largest."""
    dtypes: tuple[Dtype, ...]
    """Dtypes of the networks."""
    baseline: bool
    """Whether to time the naive network too."""
    compiled: bool
    """Whether to time compiled networks too."""
    rounds: int
    threads: int
    """CPU threads of the networks."""
    device: str


def run_benchmark(order: Order) -> BenchmarkReport:
    """Run all comparisons of a selection.

    Raises:
        InputError: a part needs a variant and there is none, or the machine lacks the device, a dtype or a compiler.
    """
    if not order.variants and (lacking := sorted(order.parts & OF_VARIANTS)):
        raise InputError("cost", None, "VARIANT", f"missing; {lacking[0]} is timed for variants")
    device = resolve_device(order.device, "fp32", order.threads).device
    load = f"{psutil.getloadavg()[0]:.2f}"
    comparisons = {part: list(found) for part, found in _comparisons(order)}
    return BenchmarkReport(
        networks=tuple(map(_network_cost, order.variants)),
        comparisons=tuple(comparison for found in comparisons.values() for comparison in found),
        workers=with_workers(comparisons[Part.LOADER][0]) if Part.LOADER in comparisons else None,
        growth=measure_growth() if Part.GROWTH in order.parts else None,
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


def _comparisons(order: Order) -> Iterator[tuple[Part, Iterator[SpeedComparison]]]:
    """Yield the selected parts that are comparisons, in the order of `Part`."""
    for part in Part:
        if part not in order.parts:
            continue
        if part in OF_VARIANTS:
            yield (
                part,
                (comparison for variant in order.variants for comparison in _comparisons_of(variant, part, order)),
            )
        elif part in _STAGES:
            with one_thread():
                yield part, iter([_STAGES[part](order.rounds)])


def _comparisons_of(variant: Variant, part: Part, order: Order) -> Iterator[SpeedComparison]:
    """Yield the comparisons of one variant: inference at each batch size, other parts at the largest."""
    networks = [
        BenchmarkedNetwork(variant, size, order.device, order.threads) for size in sorted(set(order.batch_sizes))
    ]
    if part is Part.INFERENCE:
        for network in networks:
            forms = inference_forms(network, order.baseline, order.dtypes, order.compiled)
            yield compare_networks(network, part.value, forms, order.rounds)
    elif part is Part.TRAINING:
        for forms in training_comparisons(networks[-1], order.baseline, order.dtypes):
            yield compare_networks(networks[-1], part.value, forms, order.rounds)
    elif variant.encoder is not None:
        yield compare_captures(networks[-1], order.rounds)
        yield compare_measures(networks[-1], AttentionMeasures(), order.rounds)
