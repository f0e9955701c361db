"""Wildcards, digests of configuration and the interpreter of Snakemake rules."""

import hashlib
import json
import os
import signal
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import Protocol


class BoxWildcards(Protocol):
    """The wildcards of a rule that handles boxes of a split."""

    dataset: str
    split: str
    boxes: str


def alternatives(names: Iterable[str]) -> str:
    """Return a regular expression that matches these names; it matches nothing if there are none."""
    return "|".join(names) or "(?!)"


def digest_of(values: object) -> str:
    """Compute 12 hexadecimal digits of the SHA-256 of JSON values; the order of keys does not matter.

    A changed digest makes a rule run again.
    """
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


def use_this_interpreter() -> None:
    """Put the workflow's interpreter first in PATH for its commands, even if its environment is not activated."""
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def stop_on_hangup() -> None:
    """Handle SIGHUP as Ctrl-C, so that Snakemake removes its lock when its terminal is closed; not under nohup."""
    is_ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    if not is_ignored and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGHUP, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
