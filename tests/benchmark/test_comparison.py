"""Speed comparisons: candidates run equally often, in interleaved rounds, and are compared with the first."""

from transpose.benchmark.comparison import WARM_UP_ROUNDS, Candidate, compare_speed


def test_candidates_are_interleaved_and_the_warm_up_is_not_timed() -> None:
    calls: list[str] = []
    candidates = [Candidate(name, lambda name=name: calls.append(name)) for name in ("plain", "fast")]
    result = compare_speed("title", 7, candidates, rounds=3)
    assert calls == ["plain", "fast"] * (WARM_UP_ROUNDS + 3)
    assert [timing.name for timing in result.timings] == ["plain", "fast"]
    assert result.rounds == 3


def test_speed_and_ratio_follow_from_the_medians() -> None:
    result = compare_speed(
        "title", 7, [Candidate("a", lambda: float(sum(range(10_000)))), Candidate("b", float)], rounds=5
    )
    first, second = result.timings
    assert first.ratio == 1.0
    assert second.ratio == first.median_seconds / second.median_seconds
    assert second.per_second == 7 / second.median_seconds
    assert second.fastest_seconds <= second.median_seconds <= second.slowest_seconds


def test_processor_seconds_are_those_that_candidates_return() -> None:
    result = compare_speed(
        "title", 8, [Candidate("a", lambda: 4.0), Candidate("b", lambda: 2.0)], 2, processor_time=True
    )
    assert [(one.median_seconds, one.ratio) for one in result.timings] == [(4, 1), (2, 2)]
    assert result.processor_time
