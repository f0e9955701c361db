"""Steps from a recording give what steps as they are written give."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.helpers.small_variants import small_variant
from transpose.config.training import Dtype, Training
from transpose.data.loader import TrainingBatch
from transpose.device import DeviceContext
from transpose.models.initialise import initialise
from transpose.models.variants import build_model
from transpose.skeleton import COCO_PERSON
from transpose.training.replay import FIRST_STEPS, CudaGraphStep
from transpose.training.step import GradientStep, build_optimizer, eager_step, gradient_step

SIZES = (2, 2, 1, 2, 2, 1, 2, 1)
"""Of batches: in the first steps and afterwards full ones and an epoch's last."""


class Recordings:
    """What CUDA's graphs do, by doing the work again: the first time leaves no trace, later ones fill its tensors."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.replays = 0

    def warm_up(self, work: Callable[[], Tensor]) -> Tensor:
        return work()

    def capture(self, work: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
        buffers = [buffer.clone() for buffer in self.model.buffers()]
        random = torch.get_rng_state()
        loss, gradients = work(), self.gradients()
        torch.set_rng_state(random)
        for buffer, before in zip(self.model.buffers(), buffers, strict=True):
            buffer.copy_(before)

        def replay() -> None:
            self.replays += 1
            results = [work(), *self.gradients()]
            for place, result in zip([loss, *gradients], results, strict=True):
                place.copy_(result)

        return loss, replay

    def gradients(self) -> list[Tensor]:
        return [parameter.grad for parameter in self.model.parameters() if parameter.grad is not None]


def new_model(device: torch.device) -> nn.Module:
    torch.manual_seed(0)
    model = build_model(small_variant("resnet"), len(COCO_PERSON), dropout=0.1, attention_dropout=0.1)
    initialise(model, "kaiming", pretrained_backbone=False)
    return model.to(device).train()


def batch_of(size: int, number: int) -> TrainingBatch:
    generator = torch.Generator().manual_seed(number)
    height, width = small_variant("resnet").input_size
    crops = torch.randint(0, 256, (size, height, width, 3), dtype=torch.uint8, generator=generator)
    keypoints = torch.rand(size, len(COCO_PERSON), 2, generator=generator) * width / 4
    visible = torch.rand(size, len(COCO_PERSON), generator=generator) < 0.8
    return TrainingBatch(crops, keypoints, visible, torch.arange(size).numpy())


def train(model: nn.Module, gradients: GradientStep, context: DeviceContext) -> list[float]:
    """Losses of a few steps, each with random numbers of its own."""
    optimiser = build_optimizer(model, Training(), context)
    losses = []
    for number, size in enumerate(SIZES):
        torch.manual_seed(number)
        batch = batch_of(size, number)
        losses.append(gradients(batch).item())
        # A loader may use the memory of a batch again.
        batch.crops.zero_()
        optimiser.step()
    return losses


def written(model: nn.Module, context: DeviceContext) -> GradientStep:
    return eager_step(model, small_variant("resnet").heatmap_size, COCO_PERSON, Training(), context)


def test_a_recorded_step_gives_the_bytes_of_the_written_one() -> None:
    context = DeviceContext(torch.device("cpu"), "fp32", 1)
    model, other = new_model(context.device), new_model(context.device)
    recordings = Recordings(model)
    steps = CudaGraphStep(written(model, context), model.parameters(), context.device, recordings)
    assert train(model, steps, context) == train(other, written(other, context), context)
    for (name, tensor), expected in zip(model.state_dict().items(), other.state_dict().values(), strict=True):
        assert torch.equal(tensor, expected), name
    assert recordings.replays == len(SIZES) - FIRST_STEPS


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("dtype", ["fp32", "bf16", "fp16"])
def test_a_gpu_replays_what_is_written(dtype: Dtype) -> None:
    context = DeviceContext(torch.device("cuda"), dtype, 1)
    model, other = new_model(context.device), new_model(context.device)
    steps = gradient_step(model, small_variant("resnet").heatmap_size, COCO_PERSON, Training(), context)
    assert isinstance(steps, CudaGraphStep)
    # Kernels that add up in any order differ in the last bits; other random numbers would in the second figure.
    assert train(model, steps, context) == pytest.approx(train(other, written(other, context), context), rel=1e-3)
