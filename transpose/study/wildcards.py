"""Wildcards of rules, as data and as regular expressions."""

from collections.abc import Iterable
from typing import Protocol


class BoxWildcards(Protocol):
    """The wildcards of a rule that handles boxes of a split."""

    dataset: str
    split: str
    boxes: str


def alternatives(names: Iterable[str]) -> str:
    """Regular expression that matches these names; nothing if there is none."""
    return "|".join(names) or "(?!)"
