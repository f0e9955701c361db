"""Cost of a model: parameters, multiply-accumulates in two conventions, time and memory of a forward pass."""

import math
import statistics
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from transpose.config.cost_report import CostReport, Operations, Parameters, Timing
from transpose.config.recipe import Recipe
from transpose.config.study import Cost
from transpose.config.variant import Variant
from transpose.device import DeviceContext, describe_machine, resolve_device
from transpose.models.optimize import optimize_for_inference
from transpose.models.variants import build_to_train
from transpose.replay import calls_until_replayed, graph_capture, replayed
from transpose.timing import seconds_of

WARM_UP_PASSES = 2


def measure_cost(model: nn.Module, variant: Variant, settings: Cost, device: torch.device) -> CostReport:
    """Count and time a model's forward pass in fp32 at the variant's input size.

    The model is timed after `optimize_for_inference`. Times are medians of `settings.repeats` passes after a warm-up.
    They depend on this machine and its load, which the report includes; tests do not check them.
    """
    context = DeviceContext(device, "fp32", settings.threads)
    context.set_tf32()
    formed = optimize_for_inference(model, context)
    # Larger batches last: memory that a process has used once stays resident.
    sizes = sorted(set(settings.batch_sizes))
    with _threads(settings.threads):
        timings = tuple(_time_batch(formed, variant.input_size, size, settings.repeats, context) for size in sizes)
    return CostReport(
        input_size=variant.input_size,
        parameters=count_parameters(model, variant),
        operations=count_operations(model, variant.input_size),
        dtype="float32",
        threads=settings.threads,
        memory_kind="cuda_allocated" if device.type == "cuda" else "process_resident",
        timings=timings,
        machine=describe_machine(device) | {"load_average_1_min": f"{psutil.getloadavg()[0]:.2f}"},
    )


def measure_recipe(recipe: Recipe, settings: Cost, keypoints: int) -> CostReport:
    """Measure the cost of a recipe's model with random weights, which are as fast as trained ones."""
    context = resolve_device(recipe.training.device, "fp32", settings.threads)
    return measure_cost(build_to_train(recipe, keypoints), recipe.variant, settings, context.device)


def count_parameters(model: nn.Module, variant: Variant) -> Parameters:
    """Count parameters. A fixed sine embedding, a buffer here, is added to the total as in the paper."""
    fixed = 0
    if variant.encoder is not None and variant.encoder.position_embedding == "sine":
        fixed = math.prod(variant.grid_size) * (variant.dim or 0)
    trainable = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    own = sum(parameter.numel() for parameter in model.parameters())
    return Parameters(total=own + fixed, trainable=trainable, fixed_position_embedding=fixed)


@torch.no_grad()  # in inference mode the counters would see composite operators undivided
def count_operations(model: nn.Module, input_size: tuple[int, int]) -> Operations:
    """Count multiply-accumulates of one crop of `input_size` on the meta device, without computing anything."""
    state = {name: torch.empty_like(value, device="meta") for name, value in _state(model)}
    images = torch.empty(1, 3, *input_size, device="meta")
    surplus = _PublishedSurplus()
    training = model.training
    model.eval()
    try:
        # The counter does not know some fused attention kernels; the unfused form has the same products.
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter, surplus:
            torch.func.functional_call(model, state, (images,))
    finally:
        model.train(training)
    macs = counter.get_total_flops() // 2
    return Operations(macs=macs, macs_as_published=macs + surplus.total)


def _state(model: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    yield from model.named_parameters()
    yield from model.named_buffers()


_WORK_PER_ELEMENT = {
    "native_batch_norm": 4,
    "_softmax": 6,
    "_safe_softmax": 6,
    "add": 1,
    "add_": 1,
    "mul": 1,
    "div": 1,
}


class _PublishedSurplus(TorchDispatchMode):
    """Sums the operations that the published convention counts in addition to multiply-accumulates."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func._overloadpacket.__name__
        if name == "convolution" and args[6]:
            images, weight = args[:2]
            self.total += weight.numel() * images.shape[0] * (_cells(result) - _cells(images))
        elif name in _WORK_PER_ELEMENT:
            first = result[0] if isinstance(result, tuple) else result
            self.total += _WORK_PER_ELEMENT[name] * first.numel()
        return result


def _cells(maps: torch.Tensor) -> int:
    return math.prod(maps.shape[2:])


@torch.inference_mode()
def _time_batch(
    model: nn.Module, input_size: tuple[int, int], batch_size: int, repeats: int, context: DeviceContext
) -> Timing:
    generator = torch.Generator().manual_seed(0)
    device = context.device
    images = torch.randn(batch_size, 3, *input_size, generator=generator).to(device, memory_format=torch.channels_last)
    passes = replayed(lambda images: [model(images)], device, graph_capture(context))

    def forward() -> None:
        passes(images)
        synchronise(device)

    # Memory is sampled in a separate pass: the sampling thread would disturb the times.
    peak = _peak_memory(forward, device)
    for _ in range(max(WARM_UP_PASSES, calls_until_replayed(context))):
        forward()
    seconds = [seconds_of(forward) for _ in range(repeats)]
    median = statistics.median(seconds)
    return Timing(
        batch_size=batch_size,
        repeats=repeats,
        median_seconds=median,
        fastest_seconds=min(seconds),
        slowest_seconds=max(seconds),
        images_per_second=batch_size / median,
        peak_memory_bytes=peak,
    )


def synchronise(device: torch.device) -> None:
    """Wait until the device has finished."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _peak_memory(action: Callable[[], None], device: torch.device) -> int:
    """Peak memory in bytes: allocated memory on CUDA, else resident memory of the process, sampled each ms."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        action()
        return torch.cuda.max_memory_allocated(device)
    process = psutil.Process()
    sizes = [process.memory_info().rss]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.001):
            sizes.append(process.memory_info().rss)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        action()
    finally:
        done.set()
        watcher.join()
    return max(sizes)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
