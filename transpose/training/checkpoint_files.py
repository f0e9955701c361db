"""Names and removal of checkpoint files, without importing torch."""

from contextlib import suppress
from pathlib import Path

from transpose.config.load import read_record
from transpose.config.run_record import RunRecord
from transpose.errors import InputError
from transpose.files import folder_lock

LATEST, PREVIOUS = "checkpoint.pt", "checkpoint.previous.pt"

DIGEST_BYTES = 32
"""Length of the SHA-256 at the start of a checkpoint."""


def digest_of_checkpoint(folder: Path) -> str | None:
    """Read the hexadecimal digest at the start of a run folder's latest checkpoint; None if there is none."""
    path = folder / LATEST
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return file.read(DIGEST_BYTES).hex()


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
