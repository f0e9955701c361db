"""Replayed work gives the results of the work itself."""

import torch
from torch import Tensor

from tests.helpers.recordings import Recordings
from transpose.device import DeviceContext
from transpose.replay import EAGER_CALLS, ReplayedWork, calls_until_replayed, graph_capture, replayed

CPU = torch.device("cpu")


def doubled_and_summed(numbers: Tensor, other: Tensor) -> list[Tensor | None]:
    return [2 * numbers, None, numbers.sum() + other.sum()]


def test_each_set_of_shapes_is_captured_once_after_a_few_eager_calls() -> None:
    recordings = Recordings(list)
    work = ReplayedWork(doubled_and_summed, CPU, recordings)
    for number in range(EAGER_CALLS + 2):
        for size in (2, 3):
            inputs = torch.full((size,), float(number)), torch.ones(1)
            double, nothing, total = work(*inputs)
            assert double is not None
            assert double.tolist() == [2.0 * number] * size
            assert nothing is None
            assert total == size * number + 1
            # A loader may use the memory of a batch again.
            inputs[0].zero_()
    assert (recordings.warm_ups, recordings.captures, recordings.replays) == (2 * EAGER_CALLS, 2, 4)


def test_work_on_a_cpu_is_the_work_itself() -> None:
    context = DeviceContext(CPU, "fp32", 1)
    assert graph_capture(context) is None
    assert replayed(doubled_and_summed, CPU, None) is doubled_and_summed
    assert calls_until_replayed(context) == 0
