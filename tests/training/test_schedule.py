import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from transpose.config.training import CosineSchedule, OneCycleSchedule
from transpose.training.schedule import learning_rate


def test_cosine_is_torchs_and_constant_within_an_epoch():
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.Adam([parameter], lr=1e-4)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=12, eta_min=1e-5)
    for epoch in range(12):
        for step in range(3):
            rate = learning_rate(CosineSchedule(), 12, 3, 3 * epoch + step)
            assert rate == pytest.approx(optimiser.param_groups[0]["lr"], abs=1e-15)
        optimiser.step()
        scheduler.step()


def test_one_cycle_warms_up_linearly_and_falls_to_zero():
    schedule = OneCycleSchedule(kind="one_cycle", peak=1.0, warmup=0.2)
    rates = [learning_rate(schedule, 5, 4, step) for step in range(21)]
    assert rates[:5] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])
    assert rates[12] == pytest.approx(0.5)
    assert rates[19] == pytest.approx((1 + math.cos(math.pi * 15 / 16)) / 2)
    assert rates[20] == 0


@given(warmup=st.floats(0, 1), epochs=st.integers(1, 5), steps=st.integers(1, 7), cosine=st.booleans(), data=st.data())
def test_rates_are_positive_and_bounded_by_the_peak(warmup, epochs, steps, cosine, data):
    schedule = CosineSchedule() if cosine else OneCycleSchedule(kind="one_cycle", peak=1e-4, warmup=warmup)
    step = data.draw(st.integers(0, epochs * steps - 1))
    assert 0 < learning_rate(schedule, epochs, steps, step) <= 1e-4
