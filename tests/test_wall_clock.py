import os
import time
from pathlib import Path

import pytest

from transpose.clock import refuse_later_inputs
from transpose.errors import InputError


def at(path: Path, seconds: float) -> Path:
    """A file whose time lies so far in the future."""
    path.touch()
    then = time.time() + seconds
    os.utime(path, (then, then))
    return path


@pytest.mark.parametrize(("seconds", "shown"), [(18_000, r"5\.0 h"), (600, "10 min")])
def test_an_input_from_the_future_is_named_before_a_long_job(tmp_path: Path, seconds: int, shown: str) -> None:
    inputs = [at(tmp_path / "old", -3600), at(tmp_path / "late.json", seconds + 1)]
    with pytest.raises(InputError, match=rf"late\.json: its modification time is {shown} in the future; fix the clock"):
        refuse_later_inputs(inputs)


def test_seconds_between_machines_and_missing_files_do_not_matter(tmp_path: Path) -> None:
    refuse_later_inputs([at(tmp_path / "old", -3600), at(tmp_path / "near", 30), tmp_path / "missing"])
