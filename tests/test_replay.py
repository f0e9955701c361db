"""Replayed work gives the results of the work itself."""

import torch
from torch import Tensor

from tests.helpers.recordings import Recordings
from transpose.device import DeviceContext
from transpose.replay import (
    EAGER_CALLS,
    MOST_CAPTURES,
    ReplayedWork,
    calls_until_replayed,
    graph_capture,
    replayed,
    with_own_results,
)

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
    assert (recordings.warm_ups, recordings.captures) == (EAGER_CALLS, 2)
    assert recordings.warm_ups + recordings.replays == 2 * (EAGER_CALLS + 2)


def test_sets_of_shapes_beyond_a_number_are_computed_eagerly() -> None:
    recordings = Recordings(list)
    work = ReplayedWork(doubled_and_summed, CPU, recordings)
    for _ in range(2):
        for size in range(1, EAGER_CALLS + MOST_CAPTURES + 3):
            double, _, total = work(torch.ones(size), torch.ones(1))
            assert double is not None
            assert (double.tolist(), total) == ([2.0] * size, size + 1)
    assert recordings.captures == MOST_CAPTURES


def test_own_results_are_not_overwritten() -> None:
    work = with_own_results(replayed(doubled_and_summed, CPU, Recordings(list)))
    kept = [work(torch.full((2,), float(number)), torch.ones(1))[0] for number in range(2 * EAGER_CALLS)]
    assert [double.tolist() for double in kept if double is not None] == [
        [2.0 * number] * 2 for number in range(2 * EAGER_CALLS)
    ]


def test_work_on_a_cpu_is_the_work_itself() -> None:
    context = DeviceContext(CPU, "fp32", 1)
    assert graph_capture(context) is None
    assert with_own_results(replayed(doubled_and_summed, CPU, None)) is doubled_and_summed
    assert calls_until_replayed(context) == 0
