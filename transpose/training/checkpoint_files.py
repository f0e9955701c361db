"""The files that a training's checkpoints lie in, for those who need not read them."""

from contextlib import suppress
from pathlib import Path

from transpose.config.load import read_record
from transpose.config.run_record import RunRecord
from transpose.errors import InputError
from transpose.files import folder_lock

LATEST, PREVIOUS = "checkpoint.pt", "checkpoint.previous.pt"

DIGEST_BYTES = 32
"""Of the SHA-256 of its payload, which a checkpoint begins with."""


def digest_of_checkpoint(folder: Path) -> str | None:
    """The digest that the latest checkpoint of a training's folder begins with, in hexadecimal; None without one."""
    path = folder / LATEST
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return file.read(DIGEST_BYTES).hex()


def remove_checkpoints_of(run: Path) -> None:
    """Remove the checkpoints that a finished training wrote its outputs from.

    Call it when whoever started the training knows of its good end. Those of another training in the folder stay, and
    so does everything while somebody works there.

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
        # The training may have begun anew meanwhile.
        if finished == digest_of_checkpoint(run.parent):
            (run.parent / LATEST).unlink()
            (run.parent / PREVIOUS).unlink(missing_ok=True)
