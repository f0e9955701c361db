"""Whether the difference of an ablation is clear."""

import pytest

from tests.helpers.sample_results import ablation
from transpose.reporting.ablation_table import ablation_table


@pytest.mark.parametrize(
    ("difference", "interval", "answer"),
    [
        (0.05, (0.02, 0.08), "clear"),
        (-0.05, (-0.08, -0.02), "clear"),
        (0.05, (-0.01, 0.11), "undecided"),
        (0.05, (0.0, 0.11), "undecided"),
        (0.05, None, "no interval"),
        (None, None, "not run"),
    ],
)
def test_an_ablation_is_clear_where_the_interval_excludes_zero(difference, interval, answer):
    row = ablation_table([ablation(difference, interval)]).to_dict(orient="records")[0]
    assert row["answer"] == answer
    one = ablation_table([ablation(difference, interval, seeds=1)]).to_dict(orient="records")[0]
    assert one["answer"] == ("differs, one training" if answer == "clear" else answer)
    if difference is not None:
        assert row["difference"] == pytest.approx(100 * difference)
