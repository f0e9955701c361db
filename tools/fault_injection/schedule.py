"""Times of kills, spread over the whole study by the work that is left."""

from dataclasses import dataclass
from random import Random

from tools.fault_injection.checkout import Checkout


@dataclass(frozen=True)
class KillSchedule:
    """Times at which an undisturbed study made its files, in seconds since its start."""

    moments: dict[str, float]
    seconds: float
    """Duration of the study."""

    @classmethod
    def of(cls, checkout: Checkout, begin: float, end: float) -> "KillSchedule":
        """Read the modification times of the files of a finished study.

        Args:
            begin: start of the study in seconds since 1970.
            end: end of the study in seconds since 1970.
        """
        moments = {name: path.stat().st_mtime - begin for name, path in checkout.made().items()}
        return cls({name: moment for name, moment in moments.items() if moment > 0}, end - begin)

    @property
    def start(self) -> float:
        """Seconds until the first file."""
        return min(self.moments.values())

    def left(self, checkout: Checkout) -> float:
        """Return the seconds that an undisturbed study would need for the files that a checkout lacks.

        A file counts for the time since the file before it.
        """
        made, before, missing = checkout.made().keys(), self.start, 0.0
        for name, moment in sorted(self.moments.items(), key=lambda item: item[1]):
            missing += (moment - before) * (name not in made)
            before = moment
        return missing

    def delay(self, checkout: Checkout, kills_left: int, random: Random) -> float:
        """Draw the seconds until the next kill; the remaining kills are spread over the remaining work."""
        return random.uniform(0, 2 * self.start + 1.5 * self.left(checkout) / (kills_left + 1))
