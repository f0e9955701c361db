"""Forward passes and training steps of a variant beside those of the plain network, in turns."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from transpose.benchmark.lane import Lane, Work
from transpose.benchmark.plain_network import PlainNetwork, plain_loss
from transpose.benchmark.race import Contender, Race, race, seconds_of
from transpose.config.training import Dtype, Training
from transpose.config.variant import Variant
from transpose.cost import count_operations
from transpose.data.crops import normalise
from transpose.data.heatmaps import gaussian_heatmaps
from transpose.data.loader import TrainingBatch
from transpose.device import DeviceContext, resolve_device
from transpose.models.initialise import initialise
from transpose.models.optimize import optimize_for_inference
from transpose.models.transpose import TransPose
from transpose.models.variants import build_model
from transpose.skeleton import COCO_PERSON
from transpose.training.schedule import highest_rate
from transpose.training.step import build_optimizer, gradient_step, steps_until_replayed

_SIDE, _SIDE_ON_CUDA = 2048, 8192
"""Of the yardstick's square matrices, large enough for a machine's peak."""

_YARDSTICK_SECONDS = 0.05
"""At least so long they are multiplied: a GPU is done with one product before its clock has risen."""

_DROPOUT = Training().attention_dropout
"""The recipe's."""

_OPERATIONS_PER_STEP = 3
"""A training step computes each product forward, and backward for the activations and for the weights."""


@dataclass(frozen=True)
class Subject:
    """What is timed, and on what."""

    variant: Variant
    batch_size: int
    device: str
    threads: int

    def context(self, dtype: Dtype = "fp32", compiled: bool = False) -> DeviceContext:
        """The device; the calling process is set to the threads.

        Raises:
            InputError: as `resolve_device`.
        """
        return resolve_device(self.device, dtype, self.threads, compiled)

    def model(self, attention_dropout: float = 0.0, dropout: float = 0.0) -> TransPose:
        """With random weights, which take as long as trained ones."""
        model = build_model(self.variant, len(COCO_PERSON), dropout, attention_dropout)
        initialise(model, "kaiming", pretrained_backbone=False, generator=torch.Generator().manual_seed(0))
        return model

    def crops(self) -> Tensor:
        """Noise [B, H, W, 3] uint8."""
        shape = (self.batch_size, *self.variant.input_size, 3)
        return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))

    def batch(self) -> TrainingBatch:
        """Noise with keypoints all over it."""
        generator = torch.Generator().manual_seed(1)
        height, width = self.variant.heatmap_size
        joints = torch.rand(self.batch_size, len(COCO_PERSON), 2, generator=generator) * torch.tensor([width, height])
        visible = torch.ones(self.batch_size, len(COCO_PERSON), dtype=torch.bool)
        return TrainingBatch(self.crops(), joints, visible, torch.arange(self.batch_size).numpy())


@dataclass(frozen=True)
class Form:
    """One way to run a network, in a process of its own."""

    name: str
    prepare: Callable[[], Work]
    dtype: Dtype = "fp32"
    keeps_memory: bool = True


def inference_forms(subject: Subject, baseline: bool, dtypes: Sequence[Dtype], compiled: bool) -> list[Form]:
    """The plain network first if asked for, then ours in each dtype, as it comes and compiled."""
    forms = [
        Form(f"plain, fp32{how}", partial(plain_inference, subject), keeps_memory=keeps)
        for how, keeps in ((", memory returned", False), ("", True))
        if baseline
    ]
    for dtype in dtypes:
        for how in (False, True) if compiled else (False,):
            name = f"{dtype}{', compiled' if how else ''}"
            forms.append(Form(name, partial(own_inference, subject, dtype, how), dtype))
    return forms


def training_races(subject: Subject, baseline: bool, dtypes: Sequence[Dtype]) -> Iterator[list[Form]]:
    """Our steps, with the recipe's attention dropout and without any, each beside the plain one if that is asked for.

    Two at a time, since steps that keep their memory need it side by side.
    """
    keeping = Form(f"plain, fp32, attention dropout {_DROPOUT:g}", partial(plain_training, subject))
    returning = replace(keeping, name=f"{keeping.name}, memory returned", keeps_memory=False)
    own = [
        Form(f"{dtype}, attention dropout {dropout:g}", partial(own_training, subject, dtype, dropout), dtype)
        for dtype in dtypes
        for dropout in (_DROPOUT, 0.0)
    ]
    if not baseline:
        yield from ([form] for form in own)
        return
    yield from ([returning, form] for form in (keeping, *own))


def network_race(
    subject: Subject, kind: Literal["inference", "training"], forms: Sequence[Form], rounds: int, remark: str = ""
) -> Race:
    """Time forms of one network in turns with dense matrix products, of whose speed each gets its fraction.

    Raises:
        InputError: the machine lacks the device, or a dtype on it.
    """
    operations = 2 * count_operations(subject.model(), subject.variant.input_size).macs * subject.batch_size
    if kind == "training":
        operations *= _OPERATIONS_PER_STEP
    with _lanes(forms) as lanes:
        contenders = [
            Contender(form.name, lane.run, operations, form.dtype) for form, lane in zip(forms, lanes, strict=True)
        ]
        dtypes: dict[Dtype, None] = dict.fromkeys(form.dtype for form in forms)
        yardsticks = [_yardstick(subject.context(dtype)) for dtype in dtypes]
        title = f"{subject.variant.title}, {kind}, batch {subject.batch_size}"
        if kind == "training":
            title += f", {forms[-1].name}"
        result = race(title, "images", subject.batch_size, [*contenders, *yardsticks], rounds, remark)
        peaks = [lane.peak_memory_bytes() for lane in lanes]
    laps = (lap.model_copy(update={"peak_memory_bytes": peak}) for lap, peak in zip(result.laps, peaks, strict=True))
    return result.model_copy(update={"laps": tuple(laps)})


@contextmanager
def _lanes(forms: Sequence[Form]) -> Iterator[list[Lane]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Lane(form.prepare, form.keeps_memory)) for form in forms]


def _yardstick(context: DeviceContext) -> Contender:
    """Square matrix products, in a dtype and on a device; as many as take a while."""
    side = _SIDE_ON_CUDA if context.device.type == "cuda" else _SIDE
    matrix = torch.randn(side, side, device=context.device, dtype=context.torch_dtype)

    def multiply(times: int) -> None:
        for _ in range(times):
            torch.matmul(matrix, matrix)
        synchronise(context.device)

    multiply(1)
    times = max(1, round(_YARDSTICK_SECONDS / seconds_of(partial(multiply, 1))))
    name = f"matrix product, {context.dtype}"
    return Contender(name, partial(multiply, times), times * 2 * side**3, context.dtype, True)


def plain_inference(subject: Subject) -> Work:
    """A forward pass of the plain network."""
    context = _plain_compute(subject)
    network = PlainNetwork(subject.model()).to(context.device).eval()
    images = normalise(subject.crops()).contiguous().to(context.device)

    @torch.inference_mode()
    def forward() -> None:
        network(images)
        synchronise(context.device)

    return forward


def _plain_compute(subject: Subject) -> DeviceContext:
    """The device, computing with numbers of all sizes, as PyTorch does by default."""
    context = subject.context()
    torch.set_flush_denormal(False)
    return context


def own_inference(subject: Subject, dtype: Dtype, compiled: bool) -> Work:
    """A forward pass of the form in which predictions are made."""
    context = subject.context(dtype, compiled)
    network = optimize_for_inference(subject.model(), context)
    images = normalise(context.send(subject.crops()))

    @torch.inference_mode()
    def forward() -> None:
        with context.autocast():
            network(images)
        synchronise(context.device)

    return forward


def plain_training(subject: Subject) -> Work:
    """A step of the plain network: fp32, dropout everywhere as in the recipe, a loss joint by joint, unfused Adam."""
    context, training, batch = _plain_compute(subject), Training(), subject.batch()
    network = PlainNetwork(subject.model(training.attention_dropout, training.dropout)).to(context.device).train()
    optimiser = torch.optim.Adam(network.parameters(), highest_rate(training.schedule), foreach=False)

    def step() -> None:
        images = normalise(batch.crops).contiguous().to(context.device)
        size = subject.variant.heatmap_size
        targets, weights = gaussian_heatmaps(batch.joints, batch.visible, size, training.sigma)
        optimiser.zero_grad()
        plain_loss(network(images), targets.to(context.device), weights.to(context.device)).backward()
        optimiser.step()
        synchronise(context.device)

    return step


def own_training(subject: Subject, dtype: Dtype, attention_dropout: float) -> Work:
    """A step as training takes it, with the recipe's dropout outside of attention."""
    context, training, batch = subject.context(dtype), Training(), subject.batch()
    model = context.to_device(subject.model(attention_dropout, training.dropout)).train()
    optimiser = build_optimizer(model, training, context)
    for group in optimiser.param_groups:
        group["lr"] = highest_rate(training.schedule)

    gradients = gradient_step(model, subject.variant.heatmap_size, COCO_PERSON, training, context)

    def step() -> None:
        gradients(batch)
        optimiser.step()
        synchronise(context.device)

    for _ in range(steps_until_replayed(context)):
        step()
    return step


def synchronise(device: torch.device) -> None:
    """Wait until the device has done all that it was asked to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
