"""Time of a call."""

import time
from collections.abc import Callable


def seconds_of(action: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the seconds of one call: elapsed ones, or with `time.process_time` those of all threads of the process."""
    start = clock()
    action()
    return clock() - start
