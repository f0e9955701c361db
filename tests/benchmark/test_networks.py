"""Plain and own networks compute the same, and take turns in processes of their own."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch

from tests.small_variants import FAMILIES, noise, small_model, small_variant
from transpose.benchmark.lane import Lane, Work
from transpose.benchmark.networks import Subject, inference_forms, network_race, plain_training, training_races
from transpose.benchmark.plain_network import PlainNetwork, plain_loss
from transpose.errors import InputError
from transpose.training.loss import heatmap_loss

SUBJECT = Subject(small_variant("resnet"), batch_size=2, device="cpu", threads=1)


@pytest.mark.parametrize("family", FAMILIES)
@torch.inference_mode()
def test_the_plain_network_has_the_function_of_ours(family: str) -> None:
    model, images = small_model(family).double(), noise(2, 3, 32, 24).double()
    assert torch.allclose(PlainNetwork(model)(images), model(images), rtol=1e-9, atol=1e-12)


def test_the_plain_loss_is_ours() -> None:
    predicted, target, weights = noise(3, 5, 8, 6), noise(3, 5, 8, 6, seed=1), noise(3, 5, seed=2).abs()
    assert torch.allclose(plain_loss(predicted, target, weights), heatmap_loss(predicted, target, weights))


def test_forms_of_inference_race_by_name_with_their_share_of_the_peak() -> None:
    forms = inference_forms(SUBJECT, baseline=True, dtypes=["fp32", "bf16"], compiled=False)
    result = network_race(SUBJECT, "inference", forms, rounds=1)
    assert [lap.name for lap in result.laps] == ["plain, fp32, memory returned", "plain, fp32", "fp32", "bf16"]
    assert result.laps[0].ratio == 1
    assert set(result.peaks) == {"fp32", "bf16"}
    assert all(lap.fraction_of_peak and lap.peak_memory_bytes for lap in result.laps)


def test_training_is_asked_for_with_and_without_attention_dropout() -> None:
    races = list(training_races(SUBJECT, baseline=True, dtypes=["fp32"]))
    assert [forms[0].keeps_memory for forms in races] == [False] * 3
    names = [forms[-1].name for forms in races]
    assert names == [
        "plain, fp32, attention dropout 0.1",
        "fp32, attention dropout 0.1",
        "fp32, attention dropout 0",
    ]
    assert [len(forms) for forms in training_races(SUBJECT, baseline=False, dtypes=["fp32"])] == [1, 1]


def test_a_training_step_in_a_lane_can_be_repeated() -> None:
    with Lane(partial(plain_training, SUBJECT)) as lane:
        lane.run()
        before = lane.peak_memory_bytes()
        lane.run()
        assert lane.peak_memory_bytes() >= before > 0


def nothing() -> Work:
    return int


def test_a_lanes_memory_is_not_that_of_the_process_that_started_it() -> None:
    held = np.ones(2**27)
    with Lane(nothing) as lane:
        assert lane.peak_memory_bytes() < held.nbytes


def refused() -> Work:
    raise InputError("compile", True, None, "needs a C++ compiler")


def dying() -> Work:
    raise SystemExit(4)


@pytest.mark.parametrize(
    ("prepare", "line"), [(refused, "compile: True: needs a C"), (dying, "benchmark: its process ended with status 4")]
)
def test_a_lane_that_cannot_start_says_why(prepare: Callable[[], Work], line: str) -> None:
    with pytest.raises(InputError, match=f"^{line}"):
        Lane(prepare)


def failing() -> Work:
    def work() -> None:
        raise SystemExit(3)

    return work


def test_a_lane_whose_process_dies_is_noticed() -> None:
    with Lane(failing) as lane, pytest.raises(InputError, match="ended with status 3; is there memory for the batch"):
        lane.run()
