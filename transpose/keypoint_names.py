"""What the names of keypoints say: their words, and which are left and right of the same part."""

import re
from collections.abc import Sequence

_SIDES = {"left": "right", "l": "r"}


def words_of(keypoint: str) -> tuple[str, ...]:
    """Split a name into lower-case words: `LeftShoulder`, `left-shoulder` and `left shoulder` are the same."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", keypoint)
    return tuple(re.findall(r"[^\W_]+", spaced.lower()))


def mirrored_pairs(keypoints: Sequence[str]) -> list[tuple[str, str]]:
    """Return the pairs (left, right) of keypoints whose names differ only in left and right."""
    by_words = {words_of(name): name for name in keypoints}
    mirrored = ((name, by_words.get(_other_side(words_of(name)))) for name in keypoints)
    return [(left, right) for left, right in mirrored if right is not None and right != left]


def unpaired(keypoints: Sequence[str], flip_pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the pairs (left, right) by name that are not among the pairs that swap in a mirrored image."""
    paired = {frozenset(pair) for pair in flip_pairs}
    return [pair for pair in mirrored_pairs(keypoints) if frozenset(pair) not in paired]


def _other_side(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_SIDES.get(word, word) for word in words)
