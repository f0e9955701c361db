"""Means over trainings have intervals of their own, and a report without its resamples is named."""

from pathlib import Path

import numpy as np
import pytest

from tests.helpers.sample_results import files_of, report_path, study_with, write_with_resamples
from tests.reporting.test_dtype_table import report
from transpose.errors import InputError
from transpose.evaluation.analysis_records import DtypeReport
from transpose.evaluation.intervals import RESAMPLES, Estimate, Resamples, estimate_of
from transpose.files import write_npz
from transpose.reporting.dtypes import write_dtype_table
from transpose.reporting.estimates import mean_estimate


def training(value: float, seed: int) -> Resamples:
    draws = value + np.random.default_rng(seed).normal(0, 0.1, (1, 200))
    return Resamples(np.array([value]), draws, 30)


def test_the_mean_over_trainings_has_the_interval_of_the_mean() -> None:
    trainings = [training(0.4, 1), training(0.6, 2)]
    found = mean_estimate([estimate_of(one, count=7, level=0.95) for one in trainings])
    joint = Resamples.joined(trainings)
    assert (found.value, found.low, found.high) == pytest.approx((joint.value, *(joint.interval() or ())))
    assert (found.count, found.images, found.trainings) == (7, 30, 2)


def test_one_training_keeps_its_interval() -> None:
    one = Estimate(value=0.5, low=0.1, high=0.7, count=3, images=2)
    assert mean_estimate([one]) is one


def test_without_resamples_or_values_there_is_no_interval() -> None:
    one, other = (estimate_of(training(value, 0), count=1, level=0.95) for value in (0.2, 0.4))
    without = Estimate.model_validate(other.model_dump())
    found = mean_estimate([one, without])
    assert (found.value, found.low, found.high) == (pytest.approx(0.3), None, None)
    nothing = Estimate(value=None, low=None, high=None, count=0, images=0)
    assert mean_estimate([one, nothing]).value is None


@pytest.mark.parametrize(("rows", "problem"), [(None, "no such file"), (3, "not of its report")])
def test_resamples_that_are_missing_or_of_another_report_are_named(
    rows: int | None, problem: str, tmp_path: Path
) -> None:
    paths = [report_path(tmp_path, "dtypes", "r_sine", seed) for seed in (0, 1)]
    for seed, path in enumerate(paths):
        write_with_resamples(path, report("r_sine", seed), DtypeReport)
    arrays = paths[1].with_suffix(".npz")
    arrays.unlink()
    if rows is not None:
        write_npz(arrays, **{RESAMPLES: np.zeros((rows, 20))})
    with pytest.raises(InputError, match=problem):
        write_dtype_table(files_of(study_with(tmp_path, "dtypes", ["r_sine"])))
