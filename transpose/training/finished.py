"""Outputs of a finished training, kept so that the same training never runs twice.

Snakemake deletes the outputs of a job before it runs, for whatever reason it runs: an input written again with the same
bytes, new time stamps, `--forceall`. The kept files are hard links and need no space.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from transpose.config.load import read_record
from transpose.config.run_record import RunRecord
from transpose.config.training_identity import TrainingIdentity
from transpose.errors import InputError
from transpose.files import atomic_path, sha256_of_file
from transpose.study.layout import RunFolder

KEPT = ".finished"
"""Folder of the kept outputs, in the run folder."""


def keep_outputs(files: RunFolder) -> None:
    """Keep the outputs of a training that has just finished."""
    kept = RunFolder(files.folder / KEPT)
    shutil.rmtree(kept.folder, ignore_errors=True)
    for source, target in zip(_outputs(files), _outputs(kept), strict=True):
        _link(source, target)


def restore_outputs(files: RunFolder, identity: TrainingIdentity) -> bool:
    """Write the outputs of a finished training with this identity again, as new files; return whether there are any.

    Outputs count only if every weights file has the digest that `run.json` states.

    Raises:
        InputError: a file cannot be written.
    """
    kept = RunFolder(files.folder / KEPT)
    found = next((place for place in (files, kept) if _is_finished(place, identity)), None)
    if found is None:
        return False
    for source, target in zip(_outputs(found), _outputs(files), strict=True):
        if found is kept:
            _link(source, target)
        os.utime(target)
    return True


def _is_finished(files: RunFolder, identity: TrainingIdentity) -> bool:
    with suppress(InputError):
        record = read_record(RunRecord, files.record)
        before, written = record.identity, record.weights
        return (
            before is not None
            and written is not None
            and not identity.differences(before)
            and files.history.is_file()
            and sha256_of_file(files.weights) == written.best_sha256
            and sha256_of_file(files.last_weights) == written.last_sha256
        )
    return False


def _outputs(files: RunFolder) -> Iterator[Path]:
    # The record is last: without it, the others do not count.
    yield from (files.weights, files.last_weights, files.history, files.record)


def _link(source: Path, target: Path) -> None:
    """Make `target` a hard link of `source`, or a copy where the file system has no links."""
    with atomic_path(target) as temporary:
        temporary.unlink()
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)
