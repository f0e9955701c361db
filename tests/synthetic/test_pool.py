"""A process of a pool that is killed, as a machine without memory does, is one line."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from transpose.config.dataset import SyntheticSource
from transpose.errors import InputError
from transpose.synthetic import dataset


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_renderer_leaves_no_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "_render_image", die)
    source = SyntheticSource.model_validate({"kind": "synthetic", "images": {"train": 2}})
    with pytest.raises(InputError, match=r"^--jobs: 2: one of these processes was killed"):
        dataset.synthesise(source, "train", tmp_path / "train", jobs=2)
    assert list(tmp_path.iterdir()) == []
