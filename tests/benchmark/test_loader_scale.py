"""Loading processes share what grows with the number of persons."""

import numpy as np

from transpose.benchmark.loader_scale import loader_scale


def test_a_loading_process_does_not_copy_what_it_reads() -> None:
    few, many = loader_scale(500), loader_scale(50_000)
    assert (few.persons, many.persons) == (500, 50_000)
    # What a process takes for itself whatever it does is about 6 MB.
    assert abs(many.worker_mb - few.worker_mb) < 1
    assert np.isfinite([few.build_seconds, many.build_seconds, many.sample_microseconds]).all()
