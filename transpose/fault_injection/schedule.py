"""When kills come: spread over the whole study, however often it is thrown back."""

from dataclasses import dataclass
from random import Random

from transpose.fault_injection.checkout import Checkout


@dataclass(frozen=True)
class KillSchedule:
    """When an undisturbed study had made which of its files, in seconds since its start."""

    moments: dict[str, float]
    seconds: float
    """How long the whole study took."""

    @classmethod
    def of(cls, checkout: Checkout, begin: float, end: float) -> "KillSchedule":
        """Read the times of the files of a finished study.

        Args:
            begin: seconds since 1970, like `end`.
        """
        moments = {name: path.stat().st_mtime - begin for name, path in checkout.made().items()}
        return cls({name: moment for name, moment in moments.items() if moment > 0}, end - begin)

    @property
    def start(self) -> float:
        """Seconds until Snakemake had made something."""
        return min(self.moments.values())

    def left(self, checkout: Checkout) -> float:
        """Seconds that an undisturbed study would need for what a checkout has not made yet.

        A file counts for the time between the file before it and itself.
        """
        made, before, missing = checkout.made().keys(), self.start, 0.0
        for name, moment in sorted(self.moments.items(), key=lambda item: item[1]):
            missing += (moment - before) * (name not in made)
            before = moment
        return missing

    def delay(self, checkout: Checkout, kills_left: int, random: Random) -> float:
        """Seconds until the next kill, so that those that are left fall on all the work that is left."""
        return random.uniform(0, 2 * self.start + 1.5 * self.left(checkout) / (kills_left + 1))
