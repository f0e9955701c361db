"""Checkpoints are whole or not believed."""

from pathlib import Path

import pytest
import torch

from transpose.training.checkpoint import CheckpointStore

LATEST, PREVIOUS = "checkpoint.pt", "checkpoint.previous.pt"


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


def test_clearing_leaves_nothing(store: CheckpointStore, tmp_path: Path) -> None:
    store.save({"epoch": 0})
    store.save({"epoch": 1})
    store.clear()
    assert list(tmp_path.iterdir()) == []


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
    with monkeypatch.context() as killed:
        killed.setattr(store, "clear", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            store.set_aside("a" * 64)
    assert store.load() is None
    assert store.take_back("a" * 64)
    state = store.load()
    assert state is not None
    assert state["epoch"] == 2
