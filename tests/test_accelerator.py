"""Predictions on a GPU agree with those on the CPU; skipped on a machine without one."""

import numpy as np
import pytest
import torch

import transpose
from transpose.config.training import DeviceChoice
from transpose.data.photographs import photographs_folder
from transpose.errors import InputError

GPUS: tuple[DeviceChoice, ...] = ("cuda", "mps")
BOX = [360.3, 114.8, 57.2, 134.8]


def has(device: DeviceChoice) -> bool:
    return torch.cuda.is_available() if device == "cuda" else torch.backends.mps.is_available()


def predicted(device: DeviceChoice) -> transpose.Poses:
    return transpose.load(device=device).predict(photographs_folder() / "images" / "000000214753.jpg", [BOX])


@pytest.mark.parametrize("device", GPUS)
def test_keypoints_are_those_of_the_cpu(device: DeviceChoice) -> None:
    if not has(device):
        pytest.skip(f"this machine has no {device} device")
    poses, expected = predicted(device), predicted("cpu")
    confident = expected.scores > expected.scores.mean()
    assert np.abs(poses.xy - expected.xy)[confident].max() < 0.2
    assert np.abs(poses.scores - expected.scores).max() < 0.01


@pytest.mark.parametrize("device", GPUS)
def test_a_device_that_is_not_there_is_refused(device: DeviceChoice) -> None:
    if has(device):
        pytest.skip(f"this machine has a {device} device")
    with pytest.raises(InputError, match=device):
        transpose.load(device=device)
