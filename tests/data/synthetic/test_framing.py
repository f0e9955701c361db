"""Shares of framings."""

import pytest
from pydantic import ValidationError

from transpose.config.dataset import SyntheticSource
from transpose.data.synthetic.framing import Framing, framing_shares


def source(**values: object) -> SyntheticSource:
    return SyntheticSource.model_validate({"images": {"train": 1}, **values})


def test_whole_bodies_take_what_the_other_framings_leave() -> None:
    shares = framing_shares(source(bust_share=0.3, truncated_share=0.2, small_share=0.1, crowd_share=0.1))
    assert shares[Framing.WHOLE] == pytest.approx(0.3)
    assert sum(shares.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("bust_share", 0.9),
        ("people", (3, 2)),
        ("people", (0, 2)),
        ("image_size", (8, 320)),
        ("antialias", 0),
        ("occluder_probability", 1.5),
        ("images", {"train": 0}),
        ("no_such_key", 1),
    ],
)
def test_impossible_settings_are_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError):
        source(**{field: value})
