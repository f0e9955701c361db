"""Resumable state of a training run: whole or not there, checked before it is believed."""

import hashlib
import io
from pathlib import Path
from typing import Any

import torch

from transpose.files import atomic_path

_DIGEST_BYTES = 32


class CheckpointStore:
    """The last two checkpoints of one run directory.

    A file is the SHA-256 of its payload followed by the payload, so that a truncated or altered one is noticed; the
    previous checkpoint is kept for that case.
    """

    def __init__(self, folder: Path) -> None:
        self._latest = folder / "checkpoint.pt"
        self._previous = folder / "checkpoint.previous.pt"

    def save(self, state: dict[str, Any]) -> None:
        """Write `state` (tensors and plain values only), keeping the checkpoint before it."""
        buffer = io.BytesIO()
        torch.save(state, buffer)
        payload = buffer.getvalue()
        with atomic_path(self._latest) as temporary:
            temporary.write_bytes(hashlib.sha256(payload).digest() + payload)
            if _intact_payload(self._latest) is not None:
                self._latest.replace(self._previous)

    def load(self) -> dict[str, Any] | None:
        """The newest intact checkpoint, or None; tensors on the CPU."""
        for path in (self._latest, self._previous):
            payload = _intact_payload(path)
            if payload is not None:
                return torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
        return None

    def clear(self) -> None:
        """Remove the checkpoints, of a finished run or of another recipe's."""
        self._latest.unlink(missing_ok=True)
        self._previous.unlink(missing_ok=True)


def _intact_payload(path: Path) -> bytes | None:
    if not path.is_file():
        return None
    content = path.read_bytes()
    digest, payload = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    return payload if hashlib.sha256(payload).digest() == digest else None
