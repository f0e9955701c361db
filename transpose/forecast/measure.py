"""Count and time a recipe's network: build the model, and count on the meta device, which computes nothing."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from transpose.config.recipe import Recipe
from transpose.cost import count_operations, count_parameters
from transpose.device import DeviceContext, resolve_device
from transpose.forecast.work import DeviceKind, Speed, Work
from transpose.models.optimize import optimize_for_inference
from transpose.models.variants import build_to_train

TIMED_STEPS = 3


def count_work(recipe: Recipe, keypoints: int, device: DeviceKind) -> Work:
    """Count parameters and operations, and the bytes that training keeps of one batch on a kind of device."""
    variant, training = recipe.variant, recipe.training
    with torch.device("meta"):
        model = build_to_train(recipe, keypoints)
        crops = torch.empty(training.batch_size, 3, *variant.input_size)
    parameters, operations = count_parameters(model, variant), count_operations(model, variant.input_size)
    # There is no autocast for the meta device. In bf16 throughout, norms keep half of what they keep under autocast.
    dtype = torch.bfloat16 if training.dtype == "bf16" else torch.float32
    with _kernels_of(device):
        kept = kept_bytes(model.to(dtype), crops.to(dtype))
    return Work(parameters=parameters.trainable, macs=operations.macs, kept_bytes=kept)


def kept_bytes(model: nn.Module, images: Tensor) -> int:
    """Sum the bytes of all storages that autograd keeps of a forward pass, without those of the model's own tensors.

    Args:
        model: in training mode.
        images: [B, 3, H, W], on the model's device, of any kind.
    """
    held: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        held.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(images)
    storages = {_storage(tensor): tensor.untyped_storage().nbytes() for tensor in held}
    own = {_storage(tensor) for tensor in (*model.parameters(), *model.buffers())}
    return sum(size for storage, size in storages.items() if storage not in own)


def time_network(
    recipe: Recipe, keypoints: int, work: Work, batch_size: int, training_threads: int, threads: int
) -> Speed:
    """Time training steps and forward passes with random weights and images on the CPU.

    Args:
        batch_size: crops of a timed step.
        training_threads: CPU threads of training steps.
        threads: CPU threads of forward passes.
    """
    training = recipe.training
    model = build_to_train(recipe, keypoints)
    crops = torch.randn(batch_size, 3, *recipe.variant.input_size).to(memory_format=torch.channels_last)
    operations = 2 * work.macs * batch_size
    step = _training_step(model, crops, resolve_device("cpu", training.dtype, training_threads))
    training_seconds = _seconds_of(step)
    context = resolve_device("cpu", "fp32", threads)
    formed = optimize_for_inference(model.eval(), context)
    with torch.inference_mode():
        inference_seconds = _seconds_of(lambda: formed(crops))
    return Speed(training=operations / training_seconds, inference=operations / inference_seconds)


def _training_step(model: nn.Module, crops: Tensor, context: DeviceContext) -> Callable[[], None]:
    model = context.to_device(model)
    optimiser = torch.optim.Adam(model.parameters(), fused=True)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        with context.autocast():
            heatmaps = model(crops)
        heatmaps.float().square().mean().backward()
        optimiser.step()

    return step


def _seconds_of(action: Callable[[], object]) -> float:
    """Return the seconds of the fastest call after one of warm-up.

    With one thread it is the time on the CPU that counts, since other programs make the clock's longer.
    """
    action()
    seconds = []
    for _ in range(TIMED_STEPS):
        clock, processor = time.perf_counter(), time.process_time()
        action()
        seconds.append(min(time.perf_counter() - clock, time.process_time() - processor))
    return min(seconds)


def _storage(tensor: Tensor) -> int:
    """Identity of a tensor's storage as long as the tensor lives; a meta tensor has no address."""
    return tensor.untyped_storage()._cdata


class _KeepsAsAttentionInBlocks(torch.autograd.Function):
    """Keeps what `attend_in_blocks` keeps, and computes nothing."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        output = torch.empty_like(value, memory_format=torch.contiguous_format)
        ctx.save_for_backward((query / 1).contiguous(), key.contiguous(), value.contiguous(), output)
        return output


@contextmanager
def _kernels_of(device: DeviceKind) -> Iterator[None]:
    """Context manager: let meta tensors keep what a device's kernels keep.

    Attention keeps no L x L weights: it is fused, or on a CPU with dropout inside attention computed in blocks. A
    dropout mask has one byte per value on a GPU. The CPU, like the meta device without this function, keeps a factor of
    the input's type.
    """

    def attend(
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        **options: Any,
    ) -> Tensor:
        arguments = query, key, value
        if device == "CPU" and dropout_p:
            return _KeepsAsAttentionInBlocks.apply(*arguments)
        scale = options.get("scale")
        return aten._scaled_dot_product_flash_attention_for_cpu(
            *arguments, 0.0, is_causal, attn_mask=attn_mask, scale=scale
        )[0]

    def drop(values: Tensor, probability: float, train: bool) -> Tensor:
        return torch.native_dropout(values, probability, train)[0] if train and probability else values

    aten = torch.ops.aten
    with torch.library._scoped_library("aten", "IMPL") as kernels:
        kernels.impl("scaled_dot_product_attention", attend, "AutogradMeta")
        if device == "GPU":
            kernels.impl("dropout", drop, "AutogradMeta")
        yield
