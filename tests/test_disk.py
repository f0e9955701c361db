"""A disk that is full or read-only, really: one line that names the file, and what was there stays."""

import errno
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from tests.helpers.small_disk import SmallDisk
from transpose.cli import main
from transpose.disk import disk_error
from transpose.errors import InputError
from transpose.files import atomic_folder, atomic_path, atomic_paths, folder_lock, write_json, write_npz, write_text
from transpose.models.weights import save_tensors
from transpose.reporting.figure_style import save
from transpose.training.checkpoint import CheckpointStore

PAGE = 4096
NOISE = np.random.default_rng(0).bytes(9 * PAGE)


def write_figure(path: Path) -> None:
    figure = Figure()
    figure.subplots().imshow(np.frombuffer(NOISE[:10_000], dtype=np.uint8).reshape(100, 100))
    save(figure, path)


def write_zip(path: Path) -> None:
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("noise", NOISE)


def write_folder(path: Path) -> None:
    with atomic_folder(path) as folder:
        (folder / "noise").write_bytes(NOISE)
        write_text(folder / "text", "a" * 3 * PAGE)


def write_pair(path: Path) -> None:
    with atomic_paths(path, path.with_name("second.json")) as (first, second):
        first.write_bytes(NOISE)
        write_json(second, list(range(PAGE)))


WRITERS: dict[str, Callable[[Path], None]] = {
    "output.json": lambda path: write_json(path, list(range(2 * PAGE))),
    "output.npz": lambda path: write_npz(path, noise=np.frombuffer(NOISE, dtype=np.uint8)),
    "output.safetensors": lambda path: save_tensors({"noise": torch.arange(9 * PAGE // 8)}, path, {}),
    "output.png": write_figure,
    "output.zip": write_zip,
    "output.folder": write_folder,
    "output.pair": write_pair,
    "checkpoint.pt": lambda path: CheckpointStore(path.parent).save({"noise": torch.arange(9 * PAGE // 8)}),
}


@pytest.mark.parametrize("name", WRITERS)
def test_however_little_room_is_left_nothing_is_half_written(small_disk: SmallDisk, name: str) -> None:
    """Page by page more room, until the output fits."""
    results, write = small_disk.folder / "results", WRITERS[name]
    write(results / name)
    before = small_disk.files()
    problems: list[str] = []
    while len(problems) < 64 and (problem := problem_of(write, results / name, small_disk, len(problems) * PAGE)):
        assert small_disk.files() == before
        problems.append(problem)
    assert 5 < len(problems) < 64
    for problem in problems:
        assert problem.startswith(f"{results}/")
        assert problem.endswith(": cannot be written: the disk is full")
        assert "/." not in problem, "a temporary name"


def problem_of(write: Callable[[Path], None], path: Path, disk: SmallDisk, free: int) -> str | None:
    disk.leave(free)
    try:
        write(path)
    except InputError as error:
        return str(error)
    return None


def test_a_read_only_disk_is_reported(small_disk: SmallDisk) -> None:
    for name, write in WRITERS.items():
        write(small_disk.folder / name)
    before = small_disk.files()
    small_disk.forbid_writing()
    for name, write in WRITERS.items():
        with pytest.raises(InputError, match=f"{name}: cannot be written: the disk is read-only"):
            write(small_disk.folder / name)
        with pytest.raises(InputError, match=f"new.{name}: cannot be written: the disk is read-only"):
            write(small_disk.folder / "new" / name) if name != "checkpoint.pt" else lock(
                small_disk.folder / f"new {name}"
            )
    assert small_disk.files() == before


CONFIG = Path(__file__).parents[1] / "config"


def lock(folder: Path) -> None:
    with folder_lock(folder):
        pass


def run_main(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run the command; return the last line on stderr if it fails, otherwise an empty text."""
    monkeypatch.setattr(sys, "argv", ["transpose", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    lines = capsys.readouterr().err.splitlines()
    return lines[-1] if ended.value.code else ""


def test_a_verb_ends_with_one_line_and_works_once_there_is_room(
    small_disk: SmallDisk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results = small_disk.folder / "results"
    output = results / "records" / "recipes" / "r_sine.json"
    command = ("step", "write-config", CONFIG / "config.yaml", "--config", CONFIG, "--output", results)
    assert run_main(monkeypatch, capsys, *command) == ""
    before = small_disk.files()
    small_disk.leave(0)
    assert run_main(monkeypatch, capsys, *command) == f"transpose: {output}: cannot be written: the disk is full"
    assert small_disk.files() == before
    small_disk.clear()
    assert run_main(monkeypatch, capsys, *command) == ""
    small_disk.forbid_writing()
    assert run_main(monkeypatch, capsys, *command) == f"transpose: {output}: cannot be written: the disk is read-only"


def test_an_output_that_cannot_be_there_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file/a\.json: cannot be written: a file of this name is in the way"):
        write_json(tmp_path / "file" / "a.json", 1)
    with pytest.raises(InputError, match="cannot be written: a folder of this name is in the way"):
        write_json(tmp_path, 1)
    with pytest.raises(InputError, match="cannot be written: the name is too long"):
        write_json(tmp_path / f"{'a' * 300}.json", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_standard_output_is_one_line() -> None:
    """Whatever verb prints: here it is not a file of ours that the disk does not take."""
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "transpose", "schema"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "No space left" in done.stderr or "the disk is full" in done.stderr


def test_mistakes_of_the_program_are_not_hidden(tmp_path: Path) -> None:
    assert disk_error(OSError(errno.EBADF, "bad")) is None
    assert disk_error(FileNotFoundError(errno.ENOENT, "nothing there", "file")) is None
    assert disk_error(OSError("without a number")) is None
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a") as temporary:
        temporary.with_name("nowhere").read_bytes()


def test_an_error_of_another_file_names_that_file(tmp_path: Path) -> None:
    (tmp_path / "input").mkdir()
    with pytest.raises(InputError, match=r"/input: "), atomic_path(tmp_path / "output") as temporary:
        temporary.write_bytes((tmp_path / "input").read_bytes())
