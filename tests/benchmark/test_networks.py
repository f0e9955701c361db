"""Naive and optimised networks compute the same, and are timed in separate processes."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.helpers.small_variants import FAMILIES, noise, small_model, small_variant
from transpose.benchmark.naive_network import NaiveNetwork, naive_loss
from transpose.benchmark.networks import (
    BenchmarkedNetwork,
    compare_networks,
    inference_forms,
    naive_training,
    own_training,
    training_comparisons,
)
from transpose.benchmark.parts import Part
from transpose.benchmark.worker import Work, Worker
from transpose.errors import InputError
from transpose.training.loss import heatmap_loss

pytestmark = pytest.mark.slow

SUBJECT = BenchmarkedNetwork(small_variant("resnet"), batch_size=2, device="cpu", threads=1)


@pytest.mark.parametrize("family", FAMILIES)
@torch.inference_mode()
def test_the_naive_network_has_the_function_of_ours(family: str) -> None:
    model, images = small_model(family).double(), noise(2, 3, 32, 24).double()
    assert torch.allclose(NaiveNetwork(model)(images), model(images), rtol=1e-9, atol=1e-12)


def test_the_naive_loss_is_ours() -> None:
    predicted, target, weights = noise(3, 5, 8, 6), noise(3, 5, 8, 6, seed=1), noise(3, 5, seed=2).abs()
    assert torch.allclose(naive_loss(predicted, target, weights), heatmap_loss(predicted, target, weights))


def test_inference_is_timed_by_name_with_the_fraction_of_the_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    # A product of 2048x2048 in bf16 takes minutes on a CPU without instructions for it.
    monkeypatch.setattr("transpose.benchmark.networks._SIDE", 64)
    forms = inference_forms(SUBJECT, baseline=True, dtypes=["fp32", "bf16"], compiled=False)
    result = compare_networks(SUBJECT, Part.INFERENCE, forms, rounds=1)
    assert [timing.name for timing in result.timings] == ["naive, fp32, memory returned", "naive, fp32", "fp32", "bf16"]
    assert result.timings[0].ratio == 1
    assert set(result.peaks) == {"fp32", "bf16"}
    assert all(timing.fraction_of_peak and timing.peak_memory_bytes for timing in result.timings)


def test_training_is_timed_with_and_without_attention_dropout() -> None:
    comparisons = list(training_comparisons(SUBJECT, baseline=True, dtypes=["fp32"], compiled=False))
    assert {forms[0].name for forms in comparisons} == {"naive, fp32, attention dropout 0.1"}
    names = [forms[-1].name for forms in comparisons]
    assert names == [
        "naive, fp32, attention dropout 0.1, memory returned",
        "fp32, attention dropout 0.1",
        "fp32, attention dropout 0",
    ]
    # On a CPU no training compiles its steps.
    alone = training_comparisons(SUBJECT, baseline=False, dtypes=["fp32"], compiled=True)
    assert [[form.name for form in forms] for forms in alone] == [[name] for name in names[1:]]


def test_a_compiled_training_step_is_the_compiled_one(monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[int] = []

    def noted(model: nn.Module) -> Callable[[Tensor], Tensor]:
        return lambda images: batches.append(len(images)) or model(images)

    monkeypatch.setattr("transpose.training.step.compiled_forward", noted)
    own_training(SUBJECT, "fp32", 0.0, compiled=True)()
    assert batches == [SUBJECT.batch_size]


def test_a_training_step_in_a_worker_can_be_repeated() -> None:
    with Worker(partial(naive_training, SUBJECT)) as worker:
        assert worker.run() > 0
        before = worker.peak_memory_bytes()
        worker.run()
        assert worker.peak_memory_bytes() >= before > 0


def nothing() -> Work:
    return int


def test_the_memory_of_a_worker_excludes_that_of_its_parent() -> None:
    held = np.ones(2**26)
    with Worker(nothing) as worker:
        assert worker.peak_memory_bytes() < held.nbytes


def refused() -> Work:
    raise InputError("needs a C++ compiler", file="compile", record=True)


def dying() -> Work:
    raise SystemExit(4)


@pytest.mark.parametrize(
    ("prepare", "line"), [(refused, "compile: True: needs a C"), (dying, "benchmark: the worker ended with status 4")]
)
def test_a_worker_that_cannot_start_says_why(prepare: Callable[[], Work], line: str) -> None:
    with pytest.raises(InputError, match=f"^{line}"):
        Worker(prepare)


def failing() -> Work:
    def work() -> None:
        raise SystemExit(3)

    return work


def test_a_worker_that_dies_is_noticed() -> None:
    with (
        Worker(failing) as worker,
        pytest.raises(InputError, match="ended with status 3; try a smaller batch size"),
    ):
        worker.run()
