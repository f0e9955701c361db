"""Living runs of Snakemake in a folder are known, killed ones are not."""

import subprocess
import sys
from pathlib import Path

from transpose.study.running import note_this_run, other_runs, warning_of

RUN = """
import sys
from pathlib import Path
from transpose.study.running import note_this_run, other_runs
note_this_run(Path(sys.argv[1]))
assert other_runs(Path(sys.argv[1])) == []
print("noted", flush=True)
sys.stdin.read()
"""


def start_run(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", RUN, str(folder)]
    run = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    assert run.stdout.readline() == "noted\n"
    return run


def test_a_run_is_known_until_it_ends(tmp_path: Path) -> None:
    folder = tmp_path / "running"
    assert other_runs(folder) == []
    with start_run(folder) as run:
        (note,) = other_runs(folder)
        assert note.startswith(f"process {run.pid} on ")
        assert note in warning_of([note])
        run.communicate()
    assert list(folder.iterdir()) == []


def test_a_killed_run_is_forgotten(tmp_path: Path) -> None:
    with start_run(tmp_path) as run:
        run.kill()
    assert len(list(tmp_path.iterdir())) == 1
    assert other_runs(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_forked_child_does_not_keep_the_note(tmp_path: Path) -> None:
    in_child = """
import os
if os.fork():
    os._exit(0)
print("forked", flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", RUN.replace("sys.stdin.read()", in_child), str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert [run.stdout.readline() for _ in range(2)] == ["noted\n", "forked\n"]
        run.wait()
        assert other_runs(tmp_path) == []
        run.communicate()


def test_the_own_run_is_no_other_one(tmp_path: Path) -> None:
    note_this_run(tmp_path)
    assert other_runs(tmp_path) == []
