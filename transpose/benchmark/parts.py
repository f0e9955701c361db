"""Parts of a network's work that can be timed."""

from enum import StrEnum


class Part(StrEnum):
    """A part of a network's work."""

    INFERENCE = "inference"
    TRAINING = "training"
