"""Where the results of single runs go."""

from collections.abc import Sequence
from itertools import product

from transpose.config.study import SideStudy

Run = tuple[str, int]
"""Variant and seed."""


def place_of_run(results: str, kind: str, variant: str, seed: int | str, place: tuple[str, str, str]) -> str:
    """Path without suffix of what one run gave on one place.

    Args:
        results: the study's folder.
        kind: the folder inside it, such as `metrics`.
        place: data set, split and boxes.
    """
    return f"{results}/{kind}/{variant}/seed{seed}/{'/'.join(place)}"


def side_places(results: str, runs: Sequence[Run], kind: str, side: SideStudy | None) -> list[str]:
    """Paths without suffix of a side study's results, one for each of its runs and places; none without a side study.

    Args:
        results: the study's folder.
        runs: all of the study.
        kind: the folder inside it.
        side: chooses variants and places.
    """
    if side is None:
        return []
    return [
        place_of_run(results, kind, variant, seed, place)
        for (variant, seed), place in product(runs, side.places())
        if variant in side.variants
    ]
