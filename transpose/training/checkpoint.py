"""Checkpoints of a training run: written atomically, verified when read, and removed after the training.

PyTorch is imported where a checkpoint is written or read, because removing one does not need it.
"""

import hashlib
import io
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from transpose.config.load import read_record
from transpose.config.run_record import RunRecord
from transpose.config.training_identity import TrainingIdentity
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
        states = (_load(path) for path in (self._latest, self._previous))
        return next((state for state in states if state is not None), None)

    def damaged(self) -> list[Path]:
        """Return the checkpoint files that are damaged."""
        return [path for path in (self._latest, self._previous) if path.is_file() and _intact_payload(path) is None]

    def set_aside(self, name: str) -> Path:
        """Move the newest intact checkpoint of another training aside, and return its new path.

        Args:
            name: text that is different for each training.
        """
        aside = self._folder / f"checkpoint.{name}.pt"
        # The older one is removed first: after a kill in between, it would be moved aside instead of the newer one.
        if _intact_payload(self._latest) is not None:
            self._previous.unlink(missing_ok=True)
            self._latest.replace(aside)
        else:
            self._previous.replace(aside)
            self._latest.unlink(missing_ok=True)
        return aside

    def take_back(self, is_wanted: Callable[[dict[str, Any]], bool]) -> bool:
        """Move a checkpoint back that was moved aside; return whether there was one.

        Args:
            is_wanted: whether a checkpoint's state is of this training.
        """
        asides = set(self._folder.glob("checkpoint.*.pt")) - {self._previous}
        for aside in sorted(asides):
            state = _load(aside)
            if state is not None and is_wanted(state):
                aside.replace(self._latest)
                return True
        return False


def settle_checkpoints(store: CheckpointStore, identity: TrainingIdentity, report: Callable[[str], None]) -> None:
    """Ensure that the latest checkpoint is of this training, or that there is none.

    A checkpoint of another recipe, data set or seed is moved aside and its difference reported. It is moved back when
    that training runs again. Damaged checkpoints are reported.

    Args:
        report: called with each line.
    """
    state = store.load()
    for path in store.damaged():
        instead = "using the previous one" if state is not None else "there is no other one"
        report(f"{path}: the checkpoint is damaged; {instead}")
    if state is not None and (differences := _differences(identity, state)):
        aside = store.set_aside(digest_of_value(state["identity"])[:_NAME_LENGTH])
        epoch = state["progress"]["epoch"]
        text = "; ".join(differences)
        report(f"{aside}: checkpoint of another training moved here ({epoch} epochs, not continued): {text}")
        state = None
    if state is None and store.take_back(lambda state: not _differences(identity, state)):
        report("continuing from a checkpoint of this training that was moved aside")


def threads_of_checkpoint(state: Mapping[str, Any]) -> list[int]:
    """Return the CPU threads that a checkpoint was trained with; an older one has only its recipe's number."""
    if "threads" in state["progress"]:
        return state["progress"]["threads"]
    return [state["identity"]["recipe"]["training"].get("threads", 1)]


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


def _differences(identity: TrainingIdentity, state: Mapping[str, Any]) -> list[str]:
    """Return how the training of a checkpoint differs from `identity`."""
    try:
        used = {"threads": state["progress"].get("threads", ())}
        return identity.differences(TrainingIdentity.model_validate(state["identity"] | used))
    except ValidationError as error:
        details = error.errors(include_url=False)[0]
        return [f"{'.'.join(map(str, details['loc']))} is no longer known: {details['msg']}"]


def _load(path: Path) -> dict[str, Any] | None:
    """Load an intact checkpoint, with tensors on the CPU; None if it is damaged or missing."""
    import torch

    payload = _intact_payload(path)
    return None if payload is None else torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)


def _intact_payload(path: Path) -> bytes | None:
    if not path.is_file():
        return None
    content = path.read_bytes()
    digest, payload = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    return payload if hashlib.sha256(payload).digest() == digest else None
