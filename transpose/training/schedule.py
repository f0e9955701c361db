"""Learning rates in closed form, without state, so that a resumed run has identical rates."""

import math

from transpose.config.training import CosineSchedule, OneCycleSchedule


def learning_rate(schedule: CosineSchedule | OneCycleSchedule, epochs: int, steps_per_epoch: int, step: int) -> float:
    """Compute the learning rate of an optimiser step.

    Args:
        step: counted from 0 over the whole run; from `epochs * steps_per_epoch` on, the rate is the schedule's end.
    """
    if isinstance(schedule, CosineSchedule):
        return _cosine(schedule.start, schedule.end, min(step // steps_per_epoch, epochs) / epochs)
    steps = epochs * steps_per_epoch
    warmup = round(schedule.warmup * steps)
    if step < warmup:
        return schedule.peak * (step + 1) / warmup
    return _cosine(schedule.peak, 0.0, min((step - warmup) / max(steps - warmup, 1), 1.0))


def highest_rate(schedule: CosineSchedule | OneCycleSchedule) -> float:
    """The highest learning rate of a schedule."""
    return schedule.start if isinstance(schedule, CosineSchedule) else schedule.peak


def _cosine(start: float, end: float, progress: float) -> float:
    """Half a cosine from `start` at progress 0 to `end` at progress 1."""
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2
