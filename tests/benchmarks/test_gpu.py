"""The measurements of a GPU run on a CPU too, where they only show that they work."""

from functools import partial

import pytest

from benchmarks.gpu import PASS_FORMS, STEP_FORMS, accuracies, forward_passes, milliseconds_of_one, training_steps
from tests.helpers.small_variants import small_variant
from transpose.benchmark.networks import BenchmarkedNetwork

NETWORK = BenchmarkedNetwork(small_variant("resnet"), batch_size=2, device="cpu", threads=1)


def test_each_form_of_a_step_runs() -> None:
    for form in STEP_FORMS:
        if not form.compiled:
            training_steps(NETWORK, form)()


def test_each_form_of_a_prediction_runs() -> None:
    for form in PASS_FORMS:
        if not form.compiled:
            forward_passes(NETWORK, form)()


def test_a_form_is_timed_in_a_process_of_its_own() -> None:
    assert milliseconds_of_one(partial(forward_passes, NETWORK, PASS_FORMS[0])) > 0


def test_dtypes_are_compared_with_the_first() -> None:
    (first, ap, shift), (second, other, moved) = accuracies("cpu", ["fp32", "bf16"])
    assert (first, second) == ("fp32", "bf16")
    assert 20 < ap < 30
    assert other == pytest.approx(ap, abs=3)
    assert shift == 0 < moved < 1
