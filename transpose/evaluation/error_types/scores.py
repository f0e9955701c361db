"""Errors of the scores: a better prediction that is ranked behind a worse one."""

from bisect import bisect_right

import numpy as np

from transpose.evaluation.error_types.assignment import CORRECT_OKS, Assignment
from transpose.evaluation.matches import THRESHOLDS


def passed_thresholds(oks: np.ndarray) -> np.ndarray:
    """Return how many of the ten OKS thresholds of AP each OKS passes."""
    return np.searchsorted(THRESHOLDS, oks, side="right")


def best_of_person(assignment: Assignment, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the two predictions of each scoring error of Ronchi and Perona (ICCV 2017, section 3.2).

    Such an error is a person with several predictions of OKS at least 0.5, of which the one with the highest score has
    not the largest OKS. Here it is counted only where AP can change: if the two pass different numbers of OKS
    thresholds.

    Args:
        scores: [D] of the evaluated predictions.

    Returns:
        [E] indices of the predictions with the highest score, and [E] of those with the largest OKS.
    """
    pairs = assignment.pairs
    near = np.flatnonzero((assignment.oks >= CORRECT_OKS) & assignment.is_evaluated[pairs.person])
    # A prediction near two persons belongs to the more similar one.
    near = near[assignment.oks[near] >= assignment.best_oks[pairs.detection[near]]]
    detection, person, oks = pairs.detection[near], pairs.person[near], assignment.oks[near]
    by_score = np.lexsort((-oks, -scores[detection], person))
    by_oks = np.lexsort((-scores[detection], -oks, person))
    first = np.flatnonzero(np.diff(person[by_score], prepend=-1))
    highest, best = by_score[first], by_oks[first]
    wrong = (passed_thresholds(oks[best]) > passed_thresholds(oks[highest])) & (
        scores[detection[highest]] > scores[detection[best]]
    )
    return detection[highest[wrong]], detection[best[wrong]]


def out_of_order(scores: np.ndarray, oks: np.ndarray) -> np.ndarray:
    """Return the smallest set of predictions whose scores must change for the order of all to be that of their OKS.

    The order counts only where AP does: between predictions that pass different numbers of OKS thresholds. The others
    form a longest subsequence in order (patience sorting).

    Args:
        scores: [N]; predictions of equal score are taken to be in order.
        oks: [N] OKS with the assigned person, 0 without.

    Returns:
        [N] bool.
    """
    levels = -passed_thresholds(oks)
    order = np.lexsort((levels, -scores))
    tails: list[int] = []
    at_tail: list[int] = []
    previous = np.full(len(order), -1)
    for position, level in enumerate(levels[order].tolist()):
        slot = bisect_right(tails, level)
        previous[position] = at_tail[slot - 1] if slot else -1
        if slot == len(tails):
            tails.append(level)
            at_tail.append(position)
        else:
            tails[slot], at_tail[slot] = level, position
    wrong = np.ones(len(order), dtype=bool)
    position = at_tail[-1] if at_tail else -1
    while position >= 0:
        wrong[order[position]] = False
        position = int(previous[position])
    return wrong
