"""Captures and measures all take part in their races; how long they take is nobody's business here."""

from tests.small_variants import small_variant
from transpose.benchmark.attention import capture_race, measures_race
from transpose.benchmark.networks import Subject
from transpose.config.attention import AttentionMeasures

SUBJECT = Subject(small_variant("resnet"), batch_size=2, device="cpu", threads=1)


def test_every_capture_gets_a_lap() -> None:
    result = capture_race(SUBJECT, rounds=1)
    assert [lap.name.split()[0] for lap in result.laps] == ["plain", "rows", "rows", "sum"]
    assert result.count == 2


def test_every_measure_gets_a_lap() -> None:
    names = {lap.name for lap in measures_race(SUBJECT, AttentionMeasures(patch=8), rounds=1).laps}
    assert {"forward pass with capture", "rollout", "gradient x input", "hiding patches"} <= names
    assert sum(name.startswith("knock-out") for name in names) == 3
