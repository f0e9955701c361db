"""Intervals and the axis on which they are drawn."""

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """A value and the ends of its interval, both None if it has none."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def numbers(self) -> tuple[float, ...]:
        """The value and the ends that exist."""
        return tuple(number for number in (self.low, self.value, self.high) if number is not None)


@dataclass(frozen=True)
class Axis:
    """A linear axis with round ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]

    @classmethod
    def over(cls, intervals: Iterable[Interval | None], zero: bool = False) -> "Axis | None":
        """Return an axis that contains all intervals; None if there are none.

        Args:
            zero: contain 0, for differences.
        """
        numbers = [number for one in intervals if one is not None for number in one.numbers]
        if not numbers:
            return None
        low, high = (min(*numbers, 0.0), max(*numbers, 0.0)) if zero else (min(numbers), max(numbers))
        margin = 0.06 * (high - low) or 0.5 * abs(high) or 1.0
        low, high = low - margin, high + margin
        return cls(low, high, tuple(_ticks(low, high)))

    def place(self, number: float) -> str:
        """Return the place of a number on the axis, in per cent of its length."""
        return f"{100 * (number - self.low) / (self.high - self.low):.2f}%"

    @property
    def has_zero(self) -> bool:
        """Whether 0 is on the axis, not at an end."""
        return self.low < 0 < self.high

    def labels(self) -> list[tuple[str, str]]:
        """Return the place and the text of each tick."""
        return [(self.place(tick), f"{tick:g}".replace("-", "−")) for tick in self.ticks]


def _ticks(low: float, high: float) -> list[float]:
    """Return two to five round numbers between two ends."""
    power = 10.0 ** math.floor(math.log10(high - low))
    step = next(step for step in (power * factor for factor in (0.2, 0.25, 0.5, 1, 2, 5)) if (high - low) / step <= 4.5)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [round(index * step, 12) for index in range(first, last + 1)]
