"""The measurements of a GPU run on a CPU too, where they only show that they work."""

import pytest

from benchmarks.gpu import STEP_FORMS, accuracies, milliseconds_of_predictions, milliseconds_of_steps
from tests.helpers.small_variants import small_variant
from transpose.benchmark.networks import BenchmarkedNetwork

NETWORK = BenchmarkedNetwork(small_variant("resnet"), batch_size=2, device="cpu", threads=1)


@pytest.mark.parametrize("form", [form for form in STEP_FORMS if not form.compiled], ids=lambda form: form.name)
def test_each_form_of_a_step_is_timed(form) -> None:
    assert milliseconds_of_steps(NETWORK, "bf16", form) > 0


def test_a_prediction_is_timed() -> None:
    assert milliseconds_of_predictions(NETWORK, "tf32", captured=True, compiled=False) > 0


def test_dtypes_are_compared_with_the_first() -> None:
    (first, ap, shift), (second, other, moved) = accuracies("cpu", ["fp32", "bf16"])
    assert (first, second) == ("fp32", "bf16")
    assert 20 < ap < 30
    assert other == pytest.approx(ap, abs=3)
    assert shift == 0 < moved < 1
