"""A training step: replayed or not, in one batch or several, and after a loss that is not finite."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.helpers.recordings import Recordings
from tests.helpers.small_variants import small_variant
from transpose.config.training import Dtype, Training
from transpose.data.loader import TrainingBatch
from transpose.device import DeviceContext
from transpose.models.initialise import initialise
from transpose.models.variants import build_model
from transpose.replay import EAGER_CALLS, GraphCapture, graph_capture
from transpose.skeleton import COCO_PERSON
from transpose.training.distributed import ALONE
from transpose.training.optimiser import build_optimizer, set_learning_rate
from transpose.training.step import TrainingStep

CPU = DeviceContext(torch.device("cpu"), "fp32", 1)
SIZES = (2, 2, 1, 2, 2, 1, 2, 1, 1)
"""Of batches: full ones, and the last one of an epoch."""


class Steps:
    """A model with its optimiser and steps."""

    def __init__(
        self, context: DeviceContext, dropout: float = 0.1, attention_dropout: float = 0.1, **training: Any
    ) -> None:
        torch.manual_seed(0)
        model = build_model(small_variant("resnet"), len(COCO_PERSON), dropout, attention_dropout)
        initialise(model, "kaiming", pretrained_backbone=False)
        self.model: nn.Module = model.to(context.device).train()
        self.context, self.training = context, Training(**training)
        self.optimiser = build_optimizer(self.model, self.training, context)
        set_learning_rate(self.optimiser, 1e-4)
        self.step = self.with_graphs(None)

    def with_graphs(self, graphs: GraphCapture | None) -> TrainingStep:
        size = small_variant("resnet").heatmap_size
        model, training, context, optimiser = self.model, self.training, self.context, self.optimiser
        return TrainingStep(model, size, COCO_PERSON, training, context, optimiser, ALONE, graphs)

    def state(self) -> Iterator[Tensor]:
        """All tensors that a step changes."""
        yield from self.model.state_dict().values()
        for values in self.optimiser.state.values():
            yield from values.values()

    def losses(self) -> list[float]:
        """Losses of a few steps, each with its own random numbers."""
        losses = []
        for number, size in enumerate(SIZES):
            torch.manual_seed(number)
            batch = batch_of(size, number)
            losses.append(self.step([batch]).loss.item())
            # A loader may use the memory of a batch again.
            batch.crops.zero_()
        return losses


def batch_of(size: int, number: int) -> TrainingBatch:
    generator = torch.Generator().manual_seed(number)
    height, width = small_variant("resnet").input_size
    crops = torch.randint(0, 256, (size, height, width, 3), dtype=torch.uint8, generator=generator)
    keypoints = torch.rand(size, len(COCO_PERSON), 2, generator=generator) * width / 4
    visible = torch.rand(size, len(COCO_PERSON), generator=generator) < 0.8
    return TrainingBatch(crops, keypoints, visible, torch.arange(size).numpy())


def assert_equal_states(steps: Steps, others: Steps) -> None:
    for tensor, expected in zip(steps.state(), others.state(), strict=True):
        assert torch.equal(tensor, expected)


@pytest.mark.parametrize("parts", [1, 2])
def test_a_replayed_step_gives_the_bytes_of_an_eager_one(parts: int) -> None:
    # With several batches to a step only their gradients are replayed, not the update.
    steps, others = (Steps(CPU, accumulate_grad_batches=parts) for _ in range(2))
    recordings = Recordings(steps.state)
    steps.step = steps.with_graphs(recordings)
    assert steps.losses() == others.losses()
    assert_equal_states(steps, others)
    assert recordings.replays == len(SIZES) - EAGER_CALLS


def test_several_batches_give_the_gradients_of_one_batch_of_all_persons() -> None:
    one, several = (Steps(CPU, dropout=0.0, attention_dropout=0.0, accumulate_grad_batches=parts) for parts in (1, 3))
    # BatchNorm would see other batches.
    for steps in (one, several):
        for module in steps.model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
    full = batch_of(3, 0)
    parts = [
        TrainingBatch(full.crops[some], full.keypoints[some], full.visible[some], full.index[some])
        for some in (slice(0, 2), slice(2, 2), slice(2, 3))
    ]
    result, expected = several.step(parts), one.step([full])
    assert result.index.tolist() == expected.index.tolist()
    assert result.persons == expected.persons == 3
    torch.testing.assert_close(result.loss, expected.loss)
    for tensor, other in zip(several.model.parameters(), one.model.parameters(), strict=True):
        torch.testing.assert_close(tensor.grad, other.grad, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("is_replayed", [False, True])
def test_after_a_loss_that_is_not_finite_no_step_changes_the_weights(parts: int, is_replayed: bool) -> None:
    steps = Steps(CPU, accumulate_grad_batches=parts)
    if is_replayed:
        steps.step = steps.with_graphs(Recordings(steps.state))
    bias = next(one for name, one in steps.model.named_parameters() if name == "final_layer.bias")
    for number in range(EAGER_CALLS + 1):
        assert math.isfinite(steps.step([batch_of(2, number)]).loss.item())
    with torch.no_grad():
        kept = bias.clone()
        bias.fill_(math.inf)
    assert not math.isfinite(steps.step([batch_of(2, 5)]).loss.item())
    assert bias.isinf().all()
    with torch.no_grad():
        bias.copy_(kept)
    before = [parameter.detach().clone() for parameter in steps.model.parameters()]
    assert math.isfinite(steps.step([batch_of(2, 6)]).loss.item())
    for parameter, expected in zip(steps.model.parameters(), before, strict=True):
        assert torch.equal(parameter, expected)
    assert all(values["step"] == EAGER_CALLS + 1 for values in steps.optimiser.state.values())


# The compiler hides this warning, which is an error in tests.
@pytest.mark.filterwarnings(r"ignore:The \.grad attribute of a Tensor that is not a leaf")
def test_full_batches_are_compiled_once_and_smaller_ones_never(monkeypatch: pytest.MonkeyPatch) -> None:
    # A backend that runs what is captured: TorchInductor takes half a minute on a CPU.
    monkeypatch.setattr(
        "transpose.training.step.compiled_forward",
        lambda model: torch.compile(model.forward, dynamic=False, backend="eager"),
    )
    compiled, eager = (
        Steps(DeviceContext(CPU.device, "fp32", 1, is_compiled), 0.0, 0.0, batch_size=2)
        for is_compiled in (True, False)
    )
    for number, (size, stance) in enumerate(((2, "default"), (2, "fail_on_recompile"), (1, "fail_on_recompile"))):
        losses = []
        for steps in (compiled, eager):
            with torch.compiler.set_stance(stance):
                losses.append(steps.step([batch_of(size, number)]).loss)
        torch.testing.assert_close(*losses, rtol=1e-4, atol=1e-6)
    for tensor, other in zip(compiled.model.parameters(), eager.model.parameters(), strict=True):
        torch.testing.assert_close(tensor.grad, other.grad, rtol=1e-3, atol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("dtype", ["fp32", "tf32", "bf16", "fp16"])
def test_a_gpu_replays_an_eager_step(dtype: Dtype, parts: int) -> None:
    context = DeviceContext(torch.device("cuda"), dtype, 1)
    steps, others = (Steps(context, accumulate_grad_batches=parts) for _ in range(2))
    steps.step = steps.with_graphs(graph_capture(context))
    # Kernels that add up in any order differ in the last bits; other random numbers would in the second figure.
    assert steps.losses() == pytest.approx(others.losses(), rel=1e-3)
