"""A finished training is never repeated, and only its own outputs count."""

import os
from pathlib import Path

import pytest

from tests.helpers.run_records import run_record
from transpose.config.training_identity import TrainingIdentity
from transpose.files import sha256_of_file, write_json
from transpose.study.layout import RunFolder
from transpose.training.finished import keep_outputs, restore_outputs

OUTPUTS = ("weights", "last_weights", "history", "record")


@pytest.fixture
def files(tmp_path: Path) -> RunFolder:
    """Outputs of a training that has just finished."""
    files = RunFolder(tmp_path)
    files.weights.write_bytes(b"best")
    files.last_weights.write_bytes(b"last")
    files.history.write_text("{}\n")
    weights = {"best_sha256": sha256_of_file(files.weights), "last_sha256": sha256_of_file(files.last_weights)}
    write_json(files.record, run_record(weights=weights).model_dump(mode="json"))
    keep_outputs(files)
    return files


def identity(**changes: object) -> TrainingIdentity:
    found = run_record().identity
    assert found is not None
    return found.model_copy(update=changes)


def contents(files: RunFolder) -> dict[str, bytes]:
    return {name: getattr(files, name).read_bytes() for name in OUTPUTS}


def test_deleted_outputs_come_back_as_they_were(files: RunFolder) -> None:
    before = contents(files)
    for name in OUTPUTS:
        getattr(files, name).unlink()
    assert restore_outputs(files, identity())
    assert contents(files) == before


def test_outputs_that_are_there_become_newer_than_their_inputs(files: RunFolder) -> None:
    for name in OUTPUTS:
        os.utime(getattr(files, name), (0, 0))
    assert restore_outputs(files, identity())
    assert all(getattr(files, name).stat().st_mtime > 1e9 for name in OUTPUTS)


def test_another_training_gets_nothing(files: RunFolder) -> None:
    assert not restore_outputs(files, identity(seed=1))


def test_exchanged_weights_are_replaced_by_those_of_the_training(files: RunFolder) -> None:
    files.weights.unlink()
    files.weights.write_bytes(b"of another training")
    assert restore_outputs(files, identity())
    assert files.weights.read_bytes() == b"best"


def test_weights_that_were_edited_in_place_are_trained_again(files: RunFolder) -> None:
    files.weights.write_bytes(b"edited, and so is the kept link")
    assert not restore_outputs(files, identity())


def test_a_training_that_never_finished_has_nothing(tmp_path: Path) -> None:
    assert not restore_outputs(RunFolder(tmp_path), identity())
