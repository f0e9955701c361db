"""The load test counts answers and refusals of a real server."""

import pytest

from benchmarks.serve_load import Load, measure_load, render, running_server


@pytest.mark.slow
def test_an_overloaded_server_refuses_and_answers() -> None:
    with running_server(["--queue", "0"]) as server:
        load = measure_load(server, "/predict", clients=6, seconds=2)
    assert load.statuses.keys() == {200, 429}
    assert len(load.latencies) == load.statuses[200]
    assert load.memory > 100_000_000


def test_the_table_has_rates_percentiles_and_refusals() -> None:
    load = Load(4, seconds=2.0, latencies=[0.1, 0.2, 0.3], memory=300_000_000)
    load.statuses.update([200, 200, 200, 429])
    *_, last = render([load], 200_000_000).splitlines()
    assert [cell.strip() for cell in last.strip("|").split("|")] == ["4", "1.5", "200", "298", "1 × 429", "300"]
