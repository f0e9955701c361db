"""Choice of processes to kill, and descriptions of them."""

import contextlib
import re
import signal
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from random import Random

import psutil

SHARE_OF_SIGTERM = 0.2
"""The other kills are SIGKILL, which a process cannot handle."""

_VERB = re.compile(r"transpose(?:[\s\x00]+step)?[\s\x00]+([a-z][a-z-]+)")
_OBJECTS = tuple(re.compile(rf"--{option}[\s\x00]+([^\s\x00]+)") for option in ("output", "recipe", "study"))
"""The first of these options in a command identifies its job."""


class Target(Enum):
    """Group of processes that a kill hits."""

    PROCESS = "one process"
    JOB = "a job with all its processes"
    SNAKEMAKE = "snakemake alone"
    EVERYTHING = "everything"


@dataclass(frozen=True)
class Kill:
    """A kill, with a description of each process that received the signal."""

    target: Target
    signal: signal.Signals
    targets: tuple[str, ...]


def kill_random_target(snakemake: int, processes: list[psutil.Process], random: Random) -> Kill:
    """Send a signal to a random choice of the processes in a checkout.

    Args:
        snakemake: process id of the running `snakemake`, which is among `processes`.
    """
    target = random.choice(list(Target))
    number = signal.SIGTERM if random.random() < SHARE_OF_SIGTERM else signal.SIGKILL
    chosen = _choose(target, snakemake, sorted(processes, key=lambda process: process.pid), random)
    descriptions = [_description(process) for process in chosen]
    hit = [_is_hit(process, number) for process in chosen]
    return Kill(target, number, tuple(what for what, is_hit in zip(descriptions, hit, strict=True) if is_hit))


def _is_hit(process: psutil.Process, number: signal.Signals) -> bool:
    """Send the signal and return whether the process still existed."""
    try:
        process.send_signal(number)
    except psutil.Error:
        return False
    return True


def kill_all(processes: list[psutil.Process]) -> None:
    """Kill all processes."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()


def _choose(target: Target, snakemake: int, processes: list[psutil.Process], random: Random) -> list[psutil.Process]:
    main = [process for process in processes if process.pid == snakemake]
    others = [process for process in processes if process.pid != snakemake]
    if target is Target.EVERYTHING:
        return main + others
    if target is Target.SNAKEMAKE or not others:
        return main
    if target is Target.PROCESS:
        return [random.choice(others)]
    # A job is a child of Snakemake, or an orphan of an earlier call.
    tops = [process for process in others if not _has_parent_among(process, others)]
    top = random.choice(tops)
    return [top, *(process for process in others if process != top and _descends_from(process, top))]


def _has_parent_among(process: psutil.Process, others: list[psutil.Process]) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.ppid() in {other.pid for other in others}
    return False


def _descends_from(process: psutil.Process, ancestor: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return ancestor in process.parents()
    return False


def _description(process: psutil.Process) -> str:
    """Return command, output and last log line of a process."""
    try:
        command = "\0".join(process.cmdline())
    except psutil.Error:
        return "a process that has just ended"
    if "transpose.tracking.log_process" in command:
        return "the process that logs to MLflow"
    if "multiprocessing.forkserver" in command:
        loads = _command_of_parent(process) == command
        return "loading process of a group" if loads else "server of a group's loading processes"
    if "transpose.step_server" in command:
        return _description_of_copy(process) if _command_of_parent(process) == command else "server of steps"
    if (verb := _VERB.search(command)) is None:
        return "snakemake" if "snakemake" in command else Path(command.partition("\0")[0]).name
    made = next((found for pattern in _OBJECTS if (found := pattern.search(command))), None)
    program = "shell of " if Path(command.partition("\0")[0]).name in ("bash", "sh") else ""
    if _command_of_parent(process) == command:
        program = "loading process of "
    line = _last_line(process)
    return f"{program}{verb[1]}{f' {made[1]}' if made else ''}{f' [{line}]' if line else ''}"


def _description_of_copy(process: psutil.Process) -> str:
    """Return the log of a step in a copy of the server, which has the server's command, and its last line."""
    parts = Path(f"/proc/{process.pid}/fd/2").resolve().parts
    log = "/".join(parts[parts.index("logs") + 1 :]) if "logs" in parts else "unknown"
    line = _last_line(process)
    return f"step of {log}{f' [{line}]' if line else ''}"


def _command_of_parent(process: psutil.Process) -> str:
    """Return the command of the parent; a forked process has the same one."""
    with contextlib.suppress(psutil.Error):
        parent = process.parent()
        return "\0".join(parent.cmdline()) if parent is not None else ""
    return ""


def _last_line(process: psutil.Process) -> str:
    """Return the last line of a process's log; empty on other systems than Linux or if stderr is not a log file."""
    try:
        lines = Path(f"/proc/{process.pid}/fd/2").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return lines[-1].strip()[:60] if lines and Path(f"/proc/{process.pid}/fd/2").resolve().suffix == ".log" else ""
