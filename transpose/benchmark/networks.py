"""Benchmarks of forward passes and training steps of a variant against the naive network."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from transpose.benchmark.comparison import Candidate, SpeedComparison, compare_speed
from transpose.benchmark.naive_network import NaiveNetwork, naive_loss
from transpose.benchmark.parts import Part
from transpose.benchmark.worker import Work, Worker
from transpose.codec.encode import gaussian_heatmaps
from transpose.config.training import Dtype, Training
from transpose.config.variant import Variant
from transpose.cost import count_operations, synchronise
from transpose.data.loader import TrainingBatch
from transpose.data.normalise import normalise
from transpose.device import DeviceContext, resolve_device
from transpose.models.initialise import initialise
from transpose.models.optimize import optimize_for_inference
from transpose.models.transpose import TransPose
from transpose.models.variants import build_model
from transpose.replay import GraphCapture, calls_until_replayed, graph_capture, replayed
from transpose.skeleton import COCO_PERSON
from transpose.timing import seconds_of
from transpose.training.distributed import ALONE
from transpose.training.optimiser import build_optimizer, set_learning_rate
from transpose.training.schedule import highest_rate
from transpose.training.step import TrainingStep

_SIDE, _SIDE_ON_CUDA = 2048, 8192
"""Side of the square matrices whose product measures the peak."""

_PEAK_SECONDS = 0.05
"""Minimum duration of the matrix products: one product ends before a GPU's clock has risen."""

_DROPOUT = Training().attention_dropout
"""Attention dropout of the recipe."""

_OPERATIONS_PER_STEP = 3
"""A training step computes each product once forward and twice backward (activations and weights)."""


@dataclass(frozen=True)
class BenchmarkedNetwork:
    """A variant with batch size, device and threads of its benchmark."""

    variant: Variant
    batch_size: int
    device: str
    threads: int

    def context(self, dtype: Dtype = "fp32", compiled: bool = False) -> DeviceContext:
        """Return the device context and set the number of threads of this process.

        Raises:
            InputError: as `resolve_device`.
        """
        return resolve_device(self.device, dtype, self.threads, compiled)

    def model(self, attention_dropout: float = 0.0, dropout: float = 0.0) -> TransPose:
        """Build the model with random weights; speed does not depend on them."""
        model = build_model(self.variant, len(COCO_PERSON), dropout, attention_dropout)
        initialise(model, "kaiming", pretrained_backbone=False, generator=torch.Generator().manual_seed(0))
        return model

    def crops(self) -> Tensor:
        """Return noise [B, H, W, 3] uint8."""
        shape = (self.batch_size, *self.variant.input_size, 3)
        return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))

    def batch(self) -> TrainingBatch:
        """Return a training batch of noise with random keypoints."""
        generator = torch.Generator().manual_seed(1)
        height, width = self.variant.heatmap_size
        keypoints = torch.rand(self.batch_size, len(COCO_PERSON), 2, generator=generator) * torch.tensor(
            [width, height]
        )
        visible = torch.ones(self.batch_size, len(COCO_PERSON), dtype=torch.bool)
        return TrainingBatch(self.crops(), keypoints, visible, torch.arange(self.batch_size).numpy())


@dataclass(frozen=True)
class Form:
    """One implementation of a network, run in a separate process."""

    name: str
    prepare: Callable[[], Work]
    dtype: Dtype = "fp32"
    keeps_memory: bool = True


def inference_forms(network: BenchmarkedNetwork, baseline: bool, dtypes: Sequence[Dtype], compiled: bool) -> list[Form]:
    """Return the naive network (if `baseline`), then the model in each dtype, eager and (if `compiled`) compiled."""
    forms = [
        Form(f"naive, fp32{how}", partial(naive_inference, network), keeps_memory=keeps)
        for how, keeps in ((", memory returned", False), ("", True))
        if baseline
    ]
    if baseline and compiled:
        forms.append(Form("naive, fp32, compiled", partial(naive_inference, network, compiled=True)))
    for dtype in dtypes:
        for how in (False, True) if compiled else (False,):
            name = f"{dtype}{', compiled' if how else ''}"
            forms.append(Form(name, partial(own_inference, network, dtype, how), dtype))
    return forms


def training_comparisons(
    network: BenchmarkedNetwork, baseline: bool, dtypes: Sequence[Dtype], compiled: bool
) -> Iterator[list[Form]]:
    """Yield training steps with and without attention dropout, each with the naive step if `baseline`.

    Each step is run eagerly and, if `compiled`, also compiled where trainings do that: on CUDA.

    At most two per comparison, since both keep their memory at the same time.
    """
    keeping = Form(f"naive, fp32, attention dropout {_DROPOUT:g}", partial(naive_training, network))
    returning = replace(keeping, name=f"{keeping.name}, memory returned", keeps_memory=False)
    compiles = compiled and network.context().device.type == "cuda"
    own = [
        Form(
            f"{dtype}, attention dropout {dropout:g}{', compiled' if how else ''}",
            partial(own_training, network, dtype, dropout, how),
            dtype,
        )
        for dtype in dtypes
        for dropout in (_DROPOUT, 0.0)
        for how in ((False, True) if compiles else (False,))
    ]
    if not baseline:
        yield from ([form] for form in own)
        return
    yield from ([keeping, form] for form in (returning, *own))


def compare_networks(
    network: BenchmarkedNetwork, part: Part, forms: Sequence[Form], rounds: int, processor_time: bool = False
) -> SpeedComparison:
    """Time implementations of one network, and matrix products for their fraction of the peak, in interleaved rounds.

    Args:
        processor_time: see `compare_speed`.

    Raises:
        InputError: the machine lacks the device, or a dtype on it.
    """
    operations = 2 * count_operations(network.model(), network.variant.input_size).macs * network.batch_size
    if part is Part.TRAINING:
        operations *= _OPERATIONS_PER_STEP
    with _workers(forms) as workers:
        candidates = [
            Candidate(form.name, worker.run, operations, form.dtype)
            for form, worker in zip(forms, workers, strict=True)
        ]
        dtypes: dict[Dtype, None] = dict.fromkeys(form.dtype for form in forms)
        gemm_peaks = [_peak_gemm(network.context(dtype)) for dtype in dtypes]
        title = f"{network.variant.title}, {part}, batch {network.batch_size}"
        if part is Part.TRAINING:
            title += f", {forms[-1].name}"
        result = compare_speed(title, network.batch_size, [*candidates, *gemm_peaks], rounds, processor_time)
        peaks = [worker.peak_memory_bytes() for worker in workers]
    timings = (
        timing.model_copy(update={"peak_memory_bytes": peak})
        for timing, peak in zip(result.timings, peaks, strict=True)
    )
    return result.model_copy(update={"timings": tuple(timings)})


@contextmanager
def _workers(forms: Sequence[Form]) -> Iterator[list[Worker]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Worker(form.prepare, form.keeps_memory)) for form in forms]


def _peak_gemm(context: DeviceContext) -> Candidate:
    """Return a candidate that measures the peak by square matrix products in a dtype on a device."""
    side = _SIDE_ON_CUDA if context.device.type == "cuda" else _SIDE
    matrix = torch.randn(side, side, device=context.device, dtype=context.torch_dtype)

    def multiply(times: int) -> None:
        context.set_tf32()
        for _ in range(times):
            torch.matmul(matrix, matrix)
        synchronise(context.device)

    multiply(1)
    times = max(1, round(_PEAK_SECONDS / seconds_of(partial(multiply, 1))))
    name = f"matrix product, {context.dtype}"
    run = partial(seconds_of, partial(multiply, times), time.process_time)
    return Candidate(name, run, times * 2 * side**3, context.dtype, True)


def naive_inference(network: BenchmarkedNetwork, compiled: bool = False) -> Work:
    """Return a forward pass of the naive network; `compiled` also makes it channels-last and freezes its weights."""
    context = _naive_context(network)
    module = NaiveNetwork(network.model()).to(context.device).eval()
    images = normalise(network.crops()).contiguous().to(context.device)
    if compiled:
        module = module.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        images = images.contiguous(memory_format=torch.channels_last)
        module.compile(dynamic=False, options={"freezing": True})

    @torch.inference_mode()
    def forward() -> None:
        module(images)
        synchronise(context.device)

    return forward


def _naive_context(network: BenchmarkedNetwork) -> DeviceContext:
    """Return the device context without flushing denormals, as in PyTorch's default."""
    context = network.context()
    torch.set_flush_denormal(False)
    return context


def own_inference(network: BenchmarkedNetwork, dtype: Dtype, compiled: bool) -> Work:
    """Return a forward pass of the model optimised for inference."""
    context = network.context(dtype, compiled)
    return _waited_for(own_pass(network, context, graph_capture(context)), context)


def own_pass(network: BenchmarkedNetwork, context: DeviceContext, graphs: GraphCapture | None) -> Work:
    """Return a forward pass of the model optimised for inference, for whose end nothing waits."""
    module = optimize_for_inference(network.model(), context)
    images = normalise(context.send(network.crops()))

    def run(images: Tensor) -> list[Tensor]:
        with context.autocast():
            return [module(images)]

    passes = replayed(run, context.device, graphs)

    @torch.inference_mode()
    def forward() -> None:
        passes(images)

    return forward


def naive_training(network: BenchmarkedNetwork) -> Work:
    """Return a training step of the naive network: fp32, dropout of the recipe, loss in a loop, unfused Adam."""
    context, training, batch = _naive_context(network), Training(), network.batch()
    module = NaiveNetwork(network.model(training.attention_dropout, training.dropout)).to(context.device).train()
    optimiser = torch.optim.Adam(module.parameters(), highest_rate(training.schedule), foreach=False)

    def step() -> None:
        images = normalise(batch.crops).contiguous().to(context.device)
        size = network.variant.heatmap_size
        targets, weights = gaussian_heatmaps(batch.keypoints, batch.visible, size, training.sigma)
        optimiser.zero_grad()
        naive_loss(module(images), targets.to(context.device), weights.to(context.device)).backward()
        optimiser.step()
        synchronise(context.device)

    return step


def own_training(network: BenchmarkedNetwork, dtype: Dtype, attention_dropout: float, compiled: bool) -> Work:
    """Return a step of this project's training, with the recipe's dropout outside attention."""
    context = network.context(dtype, compiled)
    return _waited_for(own_step(network, context, attention_dropout, graph_capture(context)), context)


def _waited_for(run: Callable[[], object], context: DeviceContext) -> Work:
    """Return `run`, called until it is replayed, with a wait for its end."""

    def work() -> None:
        run()
        synchronise(context.device)

    for _ in range(calls_until_replayed(context)):
        work()
    return work


def own_step(
    network: BenchmarkedNetwork, context: DeviceContext, attention_dropout: float, graphs: GraphCapture | None
) -> Callable[[], Tensor]:
    """Return a training step that returns its loss, valid until the next step, for whose end nothing waits."""
    training, batch = Training(batch_size=network.batch_size), network.batch()
    if context.pins_memory:
        batch = batch.pin_memory()
    model = context.to_device(network.model(attention_dropout, training.dropout)).train()
    optimiser = build_optimizer(model, training, context)
    set_learning_rate(optimiser, highest_rate(training.schedule))
    size = network.variant.heatmap_size
    step = TrainingStep(model, size, COCO_PERSON, training, context, optimiser, ALONE, graphs)
    return lambda: step([batch]).loss
