"""Parts of the pipeline that can be timed."""

from enum import StrEnum


class Part(StrEnum):
    """A part of the pipeline; the first three need a variant."""

    INFERENCE = "inference"
    TRAINING = "training"
    ATTENTION = "attention"
    LOADER = "loader"
    DECODER = "decoder"
    SUPPRESSION = "suppression"
    EVALUATOR = "evaluator"
    GROWTH = "growth"


OF_VARIANTS = frozenset({Part.INFERENCE, Part.TRAINING, Part.ATTENTION})
