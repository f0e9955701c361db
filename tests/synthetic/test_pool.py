"""A process of a pool that is killed, as a machine without memory does, is one line."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from transpose.config.dataset import SyntheticSource
from transpose.errors import InputError
from transpose.synthetic import dataset
from transpose.synthetic.pool import mapped


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_renderer_leaves_no_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "_render_image", die)
    source = SyntheticSource.model_validate({"kind": "synthetic", "images": {"train": 2}})
    with pytest.raises(InputError, match=r"^--jobs: 2: one of these processes was killed"):
        dataset.synthesise(source, "train", tmp_path / "train", jobs=2)
    assert list(tmp_path.iterdir()) == []


def test_results_are_in_order_and_an_error_is_raised_here() -> None:
    with mapped(hex, range(100), 3) as results:
        assert list(results) == [hex(number) for number in range(100)]
    with mapped(hex, [], 2) as results:
        assert list(results) == []
    with mapped(chr, [65, -1], 2) as results, pytest.raises(ValueError, match="chr") as caught:
        list(results)
    assert "in _compute" in caught.value.__notes__[0]


KILL_A_PROCESS_OF_PYTHON = """
import psutil
from transpose.synthetic.pool import mapped

with mapped(abs, range(100), 2) as results:
    results = iter(results)
    assert next(results) == 0
    (tracker,) = (child for child in psutil.Process().children() if "resource_tracker" in " ".join(child.cmdline()))
    tracker.kill()
    assert list(results) == list(range(1, 100))
"""


def test_a_killed_resource_tracker_leaves_no_traceback() -> None:
    command = [sys.executable, "-c", KILL_A_PROCESS_OF_PYTHON]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
