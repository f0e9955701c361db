"""A claim, the measured values that test it, and their results."""

from dataclasses import dataclass
from typing import Literal

from transpose.evaluation.intervals import Estimate

Verdict = Literal[
    "supported",
    "not supported",
    "supported by one training",
    "not supported by one training",
    "undecided",
    "not measured",
]


@dataclass(frozen=True)
class Evidence:
    """One measured value."""

    model: str
    """Title of the model, or of the two models compared."""
    measured: str
    """Name of the quantity, with its unit."""
    estimate: Estimate
    sign: Literal[-1, 1]
    """Sign of the estimate that the claim predicts."""
    factor: float = 1.0
    """Factor from the unit of the estimate to that of `measured`."""

    @property
    def verdict(self) -> Verdict:
        """Return whether the interval is on the predicted side of zero, on the other side, or contains zero.

        The interval of one training is over images only, so that another training may give another result.
        """
        low, high = self.estimate.low, self.estimate.high
        if self.estimate.value is None or low is None or high is None:
            return "not measured"
        if self.sign < 0:
            low, high = -high, -low
        if low <= 0 <= high:
            return "undecided"
        if self.estimate.trainings == 1:
            return "supported by one training" if low > 0 else "not supported by one training"
        return "supported" if low > 0 else "not supported"


@dataclass(frozen=True)
class Claim:
    """A claim and the measurements that test it."""

    title: str
    plain: str
    """The claim in one sentence of plain words."""
    done: str
    """What was done, in one or two sentences."""
    said: str
    """Source and wording of the claim."""
    how: str
    """How it is tested."""
    evidence: tuple[Evidence, ...]

    @property
    def verdict(self) -> str:
        """Return the common result of all measurements, or their counts if they differ."""
        verdicts = [one.verdict for one in self.evidence]
        kinds = dict.fromkeys(verdicts)
        if not kinds:
            return "not measured"
        if len(kinds) == 1:
            return verdicts[0]
        return "mixed: " + ", ".join(f"{verdicts.count(kind)} {kind}" for kind in kinds)
