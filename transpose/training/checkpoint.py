"""Checkpoints of a training run: written atomically, verified when read, and removed after the training.

PyTorch is imported where a checkpoint is written or read, because removing one does not need it.
"""

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from transpose.config.load import read_record
from transpose.config.run_record import RunRecord
from transpose.errors import InputError
from transpose.files import atomic_path, digest_of_value, folder_lock

LATEST, PREVIOUS = "checkpoint.pt", "checkpoint.previous.pt"

_DIGEST_BYTES = 32
"""Length of the SHA-256 at the start of a checkpoint."""
_NAME_LENGTH = 12


class CheckpointStore:
    """The last two checkpoints of a run folder, and those of other recipes that were moved aside there.

    A file is the SHA-256 of its payload followed by the payload, so that damage is detected. The previous checkpoint is
    kept for that case.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._latest = folder / LATEST
        self._previous = folder / PREVIOUS

    def save(self, state: dict[str, Any]) -> None:
        """Write `state` (tensors and plain values only), keeping the previous checkpoint."""
        import torch

        buffer = io.BytesIO()
        torch.save(state, buffer)
        payload = buffer.getvalue()
        with atomic_path(self._latest) as temporary:
            temporary.write_bytes(hashlib.sha256(payload).digest() + payload)
            if _intact_payload(self._latest) is not None:
                self._latest.replace(self._previous)

    def load(self) -> dict[str, Any] | None:
        """Load the newest intact checkpoint, with tensors on the CPU; None if there is none."""
        import torch

        for path in (self._latest, self._previous):
            payload = _intact_payload(path)
            if payload is not None:
                return torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
        return None

    def damaged(self) -> list[Path]:
        """Return the checkpoint files that are damaged."""
        return [path for path in (self._latest, self._previous) if path.is_file() and _intact_payload(path) is None]

    def set_aside(self, fingerprint: str) -> Path:
        """Move the newest intact checkpoint of another training aside, and return its new path.

        Args:
            fingerprint: fingerprint of that training.
        """
        aside = self._aside(fingerprint)
        # The older one is removed first: after a kill in between, it would be moved aside instead of the newer one.
        if _intact_payload(self._latest) is not None:
            self._previous.unlink(missing_ok=True)
            self._latest.replace(aside)
        else:
            self._previous.replace(aside)
            self._latest.unlink(missing_ok=True)
        return aside

    def take_back(self, fingerprint: str) -> bool:
        """Move the checkpoint of this training back, if it was moved aside; return whether there was one."""
        aside = self._aside(fingerprint)
        if _intact_payload(aside) is None:
            return False
        aside.replace(self._latest)
        return True

    def _aside(self, fingerprint: str) -> Path:
        return self._folder / f"checkpoint.{fingerprint[:_NAME_LENGTH]}.pt"


def settle_checkpoints(store: CheckpointStore, identity: Mapping[str, Any], report: Callable[[str], None]) -> None:
    """Ensure that the latest checkpoint is of this training, or that there is none.

    A checkpoint of another recipe, data set or seed is moved aside and its difference reported. It is moved back when
    that training runs again. Damaged checkpoints are reported.

    Args:
        identity: everything that determines the weights, as JSON values by name.
        report: called with each line.
    """
    fingerprint = digest_of_value(identity)
    state = store.load()
    for path in store.damaged():
        instead = "using the previous one" if state is not None else "there is no other one"
        report(f"{path}: the checkpoint is damaged; {instead}")
    if state is not None and state["fingerprint"] != fingerprint:
        aside = store.set_aside(state["fingerprint"])
        difference = _difference(state.get("identity", {}), identity)
        epoch = state["progress"]["epoch"]
        report(f"{aside}: checkpoint of another training moved here ({epoch} epochs, not continued): {difference}")
        state = None
    if state is None and store.take_back(fingerprint):
        report("continuing from a checkpoint of this training that was moved aside")


def digest_of_checkpoint(folder: Path) -> str | None:
    """Read the hexadecimal digest at the start of a run folder's latest checkpoint; None if there is none."""
    path = folder / LATEST
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return file.read(_DIGEST_BYTES).hex()


def remove_checkpoints_of(run: Path) -> None:
    """Remove the checkpoints that a finished training wrote its outputs from.

    Call it once the caller knows that the training succeeded. Checkpoints of another training in the folder stay.
    While another process has locked the folder, nothing is removed.

    Args:
        run: the training's run.json.

    Raises:
        InputError: the file is missing or wrong.
    """
    session = read_record(RunRecord, run).session
    finished = session.checkpoint if session else None
    if finished is None or finished != digest_of_checkpoint(run.parent):
        return
    with suppress(InputError), folder_lock(run.parent):
        # The training may have been started again in the meantime.
        if finished == digest_of_checkpoint(run.parent):
            (run.parent / LATEST).unlink()
            (run.parent / PREVIOUS).unlink(missing_ok=True)


def _difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Return `recipe.training.sigma was 2.0, is 1.5` for each value that differs."""
    before, now = dict(_leaves(old, "")), dict(_leaves(new, ""))
    names = [name for name in sorted(before.keys() | now.keys()) if before.get(name) != now.get(name)]
    return "; ".join(f"{name} was {before.get(name, 'unknown')}, is {now.get(name, 'nothing')}" for name in names)


def _leaves(value: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield from _leaves(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", json.dumps(item)


def _intact_payload(path: Path) -> bytes | None:
    if not path.is_file():
        return None
    content = path.read_bytes()
    digest, payload = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    return payload if hashlib.sha256(payload).digest() == digest else None
