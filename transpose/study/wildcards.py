"""Wildcards of rules, as types and regular expressions."""

from collections.abc import Iterable
from typing import Protocol


class BoxWildcards(Protocol):
    """The wildcards of a rule that handles boxes of a split."""

    dataset: str
    split: str
    boxes: str


def alternatives(names: Iterable[str]) -> str:
    """Return a regular expression that matches these names; it matches nothing if there are none."""
    return "|".join(names) or "(?!)"
