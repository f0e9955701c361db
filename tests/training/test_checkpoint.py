"""Checkpoints are whole or not believed."""

from pathlib import Path

import pytest
import torch

from tests.helpers.run_records import write_run
from transpose.files import folder_lock
from transpose.training.checkpoint import LATEST, PREVIOUS, CheckpointStore, digest_of_checkpoint, remove_checkpoints_of


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path)


def test_an_empty_folder_has_no_checkpoint(store: CheckpointStore) -> None:
    assert store.load() is None


def test_the_newest_state_comes_back(store: CheckpointStore) -> None:
    for epoch in range(3):
        store.save({"epoch": epoch, "weights": {"a": torch.full((2,), float(epoch))}})
    state = store.load()
    assert state is not None
    assert state["epoch"] == 2
    assert torch.equal(state["weights"]["a"], torch.full((2,), 2.0))


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "missing"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(store: CheckpointStore, tmp_path: Path, damage: str) -> None:
    store.save({"epoch": 0})
    store.save({"epoch": 1})
    _damage(tmp_path / LATEST, damage)
    assert store.load() == {"epoch": 0}


def test_a_damaged_checkpoint_never_replaces_an_intact_one(store: CheckpointStore, tmp_path: Path) -> None:
    store.save({"epoch": 0})
    store.save({"epoch": 1})
    _damage(tmp_path / LATEST, "truncated")
    store.save({"epoch": 2})
    _damage(tmp_path / LATEST, "truncated")
    assert store.load() == {"epoch": 0}


def test_two_damaged_checkpoints_are_none(store: CheckpointStore, tmp_path: Path) -> None:
    store.save({"epoch": 0})
    store.save({"epoch": 1})
    _damage(tmp_path / LATEST, "flipped")
    _damage(tmp_path / PREVIOUS, "truncated")
    assert store.load() is None


def finished(folder: Path) -> Path:
    """run.json of a training whose outputs came from the latest checkpoint there."""
    session = {"seconds": 12.5, "resumed_at_epoch": 0, "checkpoint": digest_of_checkpoint(folder)}
    return write_run(folder / "run.json", session=session)


def checkpoints(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("checkpoint*"))


def test_checkpoints_of_a_finished_training_go_and_what_was_set_aside_stays(
    store: CheckpointStore, tmp_path: Path
) -> None:
    store.save({"epoch": 7})
    aside = store.set_aside("other")
    store.save({"epoch": 0})
    store.save({"epoch": 1})
    remove_checkpoints_of(finished(tmp_path))
    assert checkpoints(tmp_path) == [aside.name]


def test_checkpoints_of_a_training_that_started_again_stay(store: CheckpointStore, tmp_path: Path) -> None:
    store.save({"epoch": 0})
    run = finished(tmp_path)
    store.save({"epoch": 1})
    remove_checkpoints_of(run)
    assert checkpoints(tmp_path) == [PREVIOUS, LATEST]


def test_checkpoints_stay_while_a_process_has_locked_the_folder(store: CheckpointStore, tmp_path: Path) -> None:
    store.save({"epoch": 0})
    run = finished(tmp_path)
    with folder_lock(tmp_path):
        remove_checkpoints_of(run)
    assert checkpoints(tmp_path) == [LATEST]


def test_nothing_is_removed_for_a_run_that_names_no_checkpoint(store: CheckpointStore, tmp_path: Path) -> None:
    write_run(tmp_path / "run.json")
    remove_checkpoints_of(tmp_path / "run.json")
    store.save({"epoch": 0})
    remove_checkpoints_of(tmp_path / "run.json")
    assert checkpoints(tmp_path) == [LATEST]


def _damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "missing":
        path.unlink()
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "truncated":
        path.write_bytes(content[:-1])
    else:
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def test_a_kill_while_one_is_set_aside_loses_no_epoch(
    store: CheckpointStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for epoch in (1, 2):
        store.save({"epoch": epoch})
    moved = Path.replace

    def move_and_die(path: Path, target: Path) -> None:
        moved(path, target)
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(Path, "replace", move_and_die)
        with pytest.raises(KeyboardInterrupt):
            store.set_aside("other")
    assert store.load() is None
    assert store.take_back(lambda state: state["epoch"] == 2)
    state = store.load()
    assert state is not None
    assert state["epoch"] == 2
