"""A whole benchmark: the parts asked for, of the variants asked for, one race after the other."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import psutil

from transpose.benchmark.attention import capture_race, measures_race
from transpose.benchmark.networks import Subject, inference_forms, network_race, training_forms
from transpose.benchmark.parts import OF_VARIANTS, Part
from transpose.benchmark.race import Race
from transpose.benchmark.report import Benchmark, NetworkCost
from transpose.compute import choose_compute, describe_machine
from transpose.config.attention import AttentionMeasures
from transpose.config.training import Precision
from transpose.config.variant import Variant
from transpose.cost import count_operations, count_parameters
from transpose.errors import InputError
from transpose.models.variants import build_model
from transpose.skeleton import COCO

_STAGES: Mapping[Part, Callable[[int], Race]] = {}


@dataclass(frozen=True)
class Order:
    """What is to be timed."""

    variants: tuple[Variant, ...]
    parts: frozenset[Part]
    batch_sizes: tuple[int, ...]
    """Of inference; training and attention take the largest."""
    precisions: tuple[Precision, ...]
    """Of networks."""
    baseline: bool
    """Plain networks take part."""
    compiled: bool
    """Compiled networks take part."""
    rounds: int
    threads: int
    """CPU threads of networks."""
    device: str


def run_benchmark(order: Order) -> Benchmark:
    """Run all races of an order.

    Raises:
        InputError: a part needs a variant and there is none, or the machine lacks the device, a precision or a
            compiler.
    """
    if not order.variants and (lacking := sorted(order.parts & OF_VARIANTS)):
        raise InputError("cost", None, "VARIANT", f"missing; {lacking[0]} is timed for variants")
    device = choose_compute(order.device, "fp32", order.threads).device
    load = f"{psutil.getloadavg()[0]:.2f}"
    return Benchmark(
        networks=tuple(map(_network_cost, order.variants)),
        races=tuple(_races(order)),
        threads=order.threads,
        machine=describe_machine(device) | {"load_average_1_min": load},
    )


def _network_cost(variant: Variant) -> NetworkCost:
    model = build_model(variant, len(COCO))
    return NetworkCost(
        title=variant.title,
        input_size=variant.input_size,
        parameters=count_parameters(model, variant),
        operations=count_operations(model, variant.input_size),
    )


def _races(order: Order) -> Iterator[Race]:
    for variant in order.variants:
        subjects = [Subject(variant, size, order.device, order.threads) for size in order.batch_sizes]
        largest = max(subjects, key=lambda subject: subject.batch_size)
        if Part.INFERENCE in order.parts:
            for subject in subjects:
                forms = inference_forms(subject, order.baseline, order.precisions, order.compiled)
                yield network_race(subject, "inference", forms, order.rounds)
        if Part.TRAINING in order.parts:
            forms = training_forms(largest, order.baseline, order.precisions)
            yield network_race(largest, "training", forms, order.rounds)
        if Part.ATTENTION in order.parts and variant.encoder is not None:
            yield capture_race(largest, order.rounds)
            yield measures_race(largest, AttentionMeasures(), order.rounds)
    for part, stage in _STAGES.items():
        if part in order.parts:
            yield stage(order.rounds)
