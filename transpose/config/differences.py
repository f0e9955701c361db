"""Differences of two sets of JSON values, in words."""

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

_LONGEST = 60


def value_differences(old: Mapping[str, Any], new: Mapping[str, Any], but: Collection[str] = ()) -> list[str]:
    """Return `training.sigma was 2.0, is 1.5` for each value that differs.

    Args:
        but: names of values that are not compared.
    """
    before, now = dict(_leaves(old)), dict(_leaves(new))
    names = sorted((before.keys() | now.keys()) - set(but))
    return [
        f"{name} was {_shown(before.get(name))}, is {_shown(now.get(name))}"
        for name in names
        if before.get(name) != now.get(name)
    ]


def _leaves(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, item in value.items():
        if isinstance(item, Mapping) and item:
            yield from _leaves(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", json.dumps(item)


def _shown(value: str | None) -> str:
    """Return a value for a message; digests and long lists are cut."""
    if value is None:
        return "absent"
    return value if len(value) <= _LONGEST else f"{value[:16]}..."
