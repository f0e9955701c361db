"""Time and memory of a step of the workflow, as its last log line.

Measured by the system for the whole life of the process. Snakemake's `benchmark:` would measure by asking again and
again, which takes more processor time than a short job's work, and miss up to the last 30 s of a job.
"""

import re
import resource
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_LINE = re.compile(r"^took ([\d.]+) s, ([\d.]+) s of processor time, ([\d.]+) MB$", re.MULTILINE)
_LAST_BYTES = 4096
"""More than a progress bar that was drawn again after the line."""


@dataclass(frozen=True)
class JobUsage:
    """What a process and the processes that it has waited for took."""

    seconds: float
    processor_seconds: float
    megabytes: float
    """Peak resident memory of the largest process."""

    def __str__(self) -> str:
        """The line of a log."""
        return f"took {self.seconds:.2f} s, {self.processor_seconds:.2f} s of processor time, {self.megabytes:.0f} MB"


def usage_of_this_process(with_children: bool = True) -> JobUsage:
    """Return what this process has taken since its start, with or without the processes that it has waited for."""
    of_all = [resource.getrusage(resource.RUSAGE_SELF)]
    of_all += [resource.getrusage(resource.RUSAGE_CHILDREN)] if with_children else []
    # Bytes on macOS, kilobytes elsewhere.
    unit = 1e6 if sys.platform == "darwin" else 1e6 / 1024
    return JobUsage(
        time.time() - psutil.Process().create_time(),
        sum(usage.ru_utime + usage.ru_stime for usage in of_all),
        max(usage.ru_maxrss for usage in of_all) / unit,
    )


def read_usage(log: Path | None) -> JobUsage | None:
    """Return the usage of a job from its log; None if it has no log, has not ended well or the log is damaged."""
    if log is None:
        return None
    with suppress(OSError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LAST_BYTES))
        found = _LINE.findall(file.read().decode("utf-8", errors="replace"))
        return JobUsage(*map(float, found[-1])) if found else None
    return None


def usages_by_rule(logs: Path) -> dict[str, list[JobUsage]]:
    """Return the usages of all jobs that have ended well, by rule.

    Args:
        logs: folder of a study's logs, with a folder or a file for each rule.
    """
    found: dict[str, list[JobUsage]] = {}
    for path in sorted(logs.rglob("*.log")):
        if (usage := read_usage(path)) is not None:
            found.setdefault(path.relative_to(logs).with_suffix("").parts[0], []).append(usage)
    return found
