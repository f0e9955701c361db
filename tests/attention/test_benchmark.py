"""The benchmark times what it says; how long that takes is nobody's business here."""

from tests.small_variants import small_variant
from transpose.attention.benchmark import measure_attention_speed
from transpose.config.attention import AttentionMeasures
from transpose.reporting.attention_speed_text import render_attention_speed


def test_every_capture_and_measure_gets_a_line():
    settings = AttentionMeasures(patch=8)
    speed = measure_attention_speed(small_variant("resnet"), 5, settings, 1, batch_size=2, repeats=1, device="cpu")
    assert speed.capturing[0].ratio == 1
    assert len(speed.capturing) == 4
    assert all(one.seconds > 0 for one in (*speed.capturing, *speed.measuring))
    text = render_attention_speed("small", speed)
    for one in (*speed.capturing, *speed.measuring):
        assert one.name in text
