"""Files that appear whole or not at all, and what is said of those that cannot be read."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transpose.errors import InputError
from transpose.files import (
    atomic_folder,
    atomic_path,
    digest_of_value,
    folder_lock,
    read_json,
    read_json_lines,
    read_npz,
    remove_leftovers,
    removed_if_empty,
    sha256_of_file,
    visible_files,
    write_json,
    write_npz,
    write_text,
)

LEAVES = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text()
OBJECTS = st.dictionaries(st.text(), LEAVES | st.lists(LEAVES, max_size=3), max_size=4)


def write_half(path: Path) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        raise KeyError


def write_half_a_folder(path: Path) -> None:
    with atomic_folder(path) as temporary:
        (temporary / "half.png").touch()
        raise KeyError


def lock(folder: Path) -> None:
    with folder_lock(folder):
        pass


class TestAtomicPath:
    def test_the_file_appears_when_the_block_ends(self, tmp_path: Path) -> None:
        path = tmp_path / "new" / "table.csv"
        with atomic_path(path) as temporary:
            assert (temporary.parent, temporary.suffix) == (path.parent, ".csv")
            temporary.write_text("a,b")
            assert not path.exists()
        assert path.read_text() == "a,b"
        assert list(path.parent.iterdir()) == [path]

    def test_a_failure_keeps_what_was_there(self, tmp_path: Path) -> None:
        path = tmp_path / "table.csv"
        path.write_text("old")
        with pytest.raises(KeyError):
            write_half(path)
        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]

    def test_permissions_are_those_of_any_new_file(self, tmp_path: Path) -> None:
        write_text(tmp_path / "atomic", "")
        (tmp_path / "plain").touch()
        modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("atomic", "plain")}
        assert len(modes) == 1


class TestAtomicFolder:
    def test_it_replaces_the_whole_folder(self, tmp_path: Path) -> None:
        folder = tmp_path / "figures"
        folder.mkdir()
        (folder / "old.png").touch()
        with atomic_folder(folder) as temporary:
            (temporary / "new.png").touch()
            assert (folder / "old.png").exists()
        assert [path.name for path in folder.iterdir()] == ["new.png"]
        assert list(tmp_path.iterdir()) == [folder]

    def test_a_failure_keeps_what_was_there(self, tmp_path: Path) -> None:
        folder = tmp_path / "figures"
        folder.mkdir()
        (folder / "old.png").touch()
        with pytest.raises(KeyError):
            write_half_a_folder(folder)
        assert [path.name for path in folder.iterdir()] == ["old.png"]
        assert list(tmp_path.iterdir()) == [folder]

    def test_two_processes_that_replace_a_folder_at_once_leave_one_whole(self, tmp_path: Path) -> None:
        program = f"""
from pathlib import Path
from transpose.files import atomic_folder
for number in range(300):
    with atomic_folder(Path({str(tmp_path / "figures")!r})) as folder:
        for name in "abc":
            (folder / name).write_text(str(number))
"""
        running = [subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE) for _ in range(2)]
        assert [process.communicate()[1] for process in running] == [b"", b""]
        assert list(tmp_path.iterdir()) == [tmp_path / "figures"]
        assert {(tmp_path / "figures" / name).read_text() for name in "abc"} == {"299"}


@pytest.mark.parametrize("kept", [[], ["a"], ["a/b"]])
def test_new_empty_folders_are_removed_after_an_error(tmp_path: Path, kept: list[str]) -> None:
    for name in kept:
        (tmp_path / name).mkdir(parents=True)
    before = set(tmp_path.rglob("*"))

    def fail() -> None:
        with removed_if_empty(tmp_path / "a" / "b"):
            (tmp_path / "a" / "b").mkdir(parents=True, exist_ok=True)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert set(tmp_path.rglob("*")) == before


class TestFolderLock:
    def test_it_keeps_others_out_while_it_is_held(self, tmp_path: Path) -> None:
        folder = tmp_path / "run"
        with folder_lock(folder), pytest.raises(InputError, match="run: another process is working in this folder"):
            lock(folder)
        lock(folder)

    def test_it_dies_with_its_process(self, tmp_path: Path) -> None:
        program = f"""
import os
from pathlib import Path
from transpose.files import folder_lock
with folder_lock(Path({str(tmp_path)!r})):
    os._exit(9)
"""
        assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9
        lock(tmp_path)

    def test_it_does_not_live_on_in_a_forked_child(self, tmp_path: Path) -> None:
        program = f"""
import os, sys
from pathlib import Path
from transpose.files import folder_lock
with folder_lock(Path({str(tmp_path)!r})):
    if os.fork() == 0:
        os.write(1, b"up")
        sys.stdin.read()
        os._exit(0)
    os.wait()
"""
        command = [sys.executable, "-c", program]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            assert holder.stdout.read(2) == b"up"
            with pytest.raises(InputError, match=f"process {holder.pid}"):
                lock(tmp_path)
            holder.kill()
            holder.wait()
            lock(tmp_path)


class TestJson:
    @settings(deadline=None, max_examples=50)
    @given(OBJECTS)
    def test_values_read_back_exactly(self, tmp_path_factory: pytest.TempPathFactory, value: dict[str, Any]) -> None:
        path = tmp_path_factory.getbasetemp() / "value.json"
        finite = all(np.isfinite(leaf) for leaf in _floats(value))
        if not finite:
            with pytest.raises(ValueError, match="not JSON compliant"):
                write_json(path, value)
            return
        write_json(path, value)
        assert read_json(path) == value

    @pytest.mark.parametrize(
        "content",
        [
            "[0.1000000000000000055511151231257827, 1e-320, 1.7976931348623159e308, -0.0, 5e-324]",
            "[123456789012345678901234567890, -9223372036854775809]",
            '{"a": 1, "a": 2}',
            '"\\ud800"',
            "[1e400, Infinity]",
        ],
    )
    def test_values_are_those_of_the_standard_library(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "value.json").write_text(content)
        read = read_json(tmp_path / "value.json")
        assert repr(read) == repr(json.loads(content))

    @settings(deadline=None, max_examples=50)
    @given(st.lists(OBJECTS, max_size=4))
    def test_lines_read_back_exactly(self, tmp_path_factory: pytest.TempPathFactory, values: list[Any]) -> None:
        path = tmp_path_factory.getbasetemp() / "values.jsonl"
        write_text(path, "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values))
        assert read_json_lines(path) == values

    def test_nothing_is_written_of_a_value_that_json_lacks(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="not JSON compliant"):
            write_json(tmp_path / "value.json", {"AP": float("nan")})
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b'{"a": 1,\n "b" 2}', "value.json: line 2 column 6: not JSON: Expecting ':' delimiter"),
            (b"", "value.json: line 1 column 1: not JSON"),
            (b"\xff\xff", "value.json: cannot be read: 'utf-8' codec"),
            (b"[" * 100_000, "value.json: cannot be read: "),
            (b"9" * 10_000, "value.json: cannot be read: Exceeds the limit"),
        ],
    )
    def test_what_is_no_json_is_reported_in_one_line(self, tmp_path: Path, content: bytes, words: str) -> None:
        path = tmp_path / "value.json"
        path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            read_json(path)
        assert words in str(caught.value)

    @pytest.mark.parametrize("bracket", [b"[", b'{"a":'])
    def test_a_hundred_megabytes_of_brackets_are_one_line(self, tmp_path: Path, bracket: bytes) -> None:
        path = tmp_path / "value.json"
        path.write_bytes(bracket * (100_000_000 // len(bracket)))
        for read in (read_json, read_json_lines):
            with pytest.raises(InputError, match=r"value\.json: .*: maximum recursion depth exceeded"):
                read(path)

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            ('{"epoch": 0}\n{"epoch": 1, "lo\n', "lines.jsonl: line 2: not JSON: Unterminated string"),
            ('{"epoch": 0}\n\n{"epoch": 1}\n', "lines.jsonl: line 2: not JSON: Expecting value"),
            ("[1]\n", "lines.jsonl: line 1: not a JSON object"),
        ],
    )
    def test_a_broken_line_is_named(self, tmp_path: Path, content: str, words: str) -> None:
        path = tmp_path / "lines.jsonl"
        path.write_text(content)
        with pytest.raises(InputError) as caught:
            read_json_lines(path)
        assert words in str(caught.value)

    @pytest.mark.parametrize("read", [read_json, read_json_lines, sha256_of_file])
    def test_a_missing_file_and_a_folder_are_reported(self, tmp_path: Path, read: Any) -> None:
        with pytest.raises(InputError, match="nowhere: no such file"):
            read(tmp_path / "nowhere")
        with pytest.raises(InputError, match="cannot be read"):
            read(tmp_path)


class Victim:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


class TestNpz:
    def test_arrays_read_back_and_equal_ones_are_equal_bytes(self, tmp_path: Path) -> None:
        arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array([True, False])}
        for name in ("first.npz", "second.npz"):
            write_npz(tmp_path / name, **arrays)
        with np.load(tmp_path / "first.npz") as content:
            assert {name: content[name].tolist() for name in content} == {n: a.tolist() for n, a in arrays.items()}
        assert (tmp_path / "first.npz").read_bytes() == (tmp_path / "second.npz").read_bytes()

    def test_any_name_is_kept(self, tmp_path: Path) -> None:
        write_npz(tmp_path / "arrays.bin", a=np.arange(3))
        assert list(tmp_path.iterdir()) == [tmp_path / "arrays.bin"]
        with np.load(tmp_path / "arrays.bin") as content:
            assert content["a"].tolist() == [0, 1, 2]

    @pytest.mark.parametrize("seed", range(20))
    def test_damage_is_refused_and_the_file_closed(self, tmp_path: Path, seed: int) -> None:
        path, rng = tmp_path / "a.npz", np.random.default_rng(seed)
        write_npz(path, a=np.arange(100))
        data = bytearray(path.read_bytes())
        start = int(rng.integers(60, len(data) // 2))  # of the packed numbers
        data[start : start + 20] = rng.bytes(20)
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"a\.npz: no table"):
            read_npz(path, ["a"], "table")

    def test_objects_of_others_are_not_unpickled(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "a.npz", a=np.array([Victim(tmp_path / "victim")], dtype=object))
        with pytest.raises(InputError, match=r"a\.npz: no table: Object arrays cannot be loaded"):
            read_npz(tmp_path / "a.npz", ["a"], "table")
        assert not (tmp_path / "victim").exists()

    def test_objects_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="allow_pickle"):
            write_npz(tmp_path / "a.npz", a=np.array([None]))
        assert not list(tmp_path.iterdir())


class TestDigests:
    def test_of_a_file_is_that_of_its_bytes(self, tmp_path: Path) -> None:
        (tmp_path / "abc").write_bytes(b"abc")
        assert sha256_of_file(tmp_path / "abc").startswith("ba7816bf8f01cfea")
        assert len(sha256_of_file(Path(os.devnull))) == 64

    @settings(deadline=None, max_examples=50)
    @given(OBJECTS, st.randoms())
    def test_of_a_value_does_not_depend_on_the_order_of_keys(self, value: dict[str, Any], random: Any) -> None:
        items = list(value.items())
        random.shuffle(items)
        assert digest_of_value({"x": dict(items)}) == digest_of_value({"x": value})

    @pytest.mark.parametrize("other", [{"a": [1, 3]}, {"a": [2, 1]}, {"a": ["1", 2]}, {"b": [1, 2]}])
    def test_of_other_values_is_another(self, other: dict[str, Any]) -> None:
        assert digest_of_value(other) != digest_of_value({"a": [1, 2]})


def _floats(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _floats(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in _floats(item)]
    return [value] if isinstance(value, float) else []


COUNT_IN_TURNS = """
import sys
from pathlib import Path
from transpose.files import exclusive_lock
counter = Path(sys.argv[1])
for _ in range(200):
    with exclusive_lock(counter.with_name(".lock")):
        counter.write_text(str(int(counter.read_text()) + 1))
"""


def test_processes_take_turns(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    command = [sys.executable, "-c", COUNT_IN_TURNS, str(counter)]
    counting = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait() for process in counting] == [0, 0]
    assert counter.read_text() == "400"


def test_leftovers_of_killed_writers_are_distinguished_from_other_files(tmp_path: Path) -> None:
    kept = [".lock", ".hidden", "weights-abcdefgh.pt", "checkpoint.pt", ".note-abc.txt"]
    for name in (*kept, ".weights-ab_defg1.safetensors", ".lock-abcdefgh"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)
    with atomic_path(tmp_path / "killed.json") as temporary:
        temporary.touch()
    # Its writer killed, the file keeps its temporary name.
    temporary.touch()
    remove_leftovers(tmp_path)
    assert not temporary.exists()


def test_files_of_killed_writers_are_not_visible(tmp_path: Path) -> None:
    for name in (
        ".figures-abcdefgh/a.png",
        ".figures-abcdefgh/b/c.png",
        "figures/.a-abcdefgh.png",
        "figures/a.png",
        "b",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert list(visible_files(tmp_path)) == [tmp_path / "b", tmp_path / "figures" / "a.png"]
    assert list(visible_files(tmp_path / "figures")) == [tmp_path / "figures" / "a.png"]
    assert not list(visible_files(tmp_path / "none"))


def test_a_refused_process_does_not_wipe_out_who_holds_the_folder(tmp_path: Path) -> None:
    with folder_lock(tmp_path):
        for _ in range(2):
            with pytest.raises(InputError, match=rf"in this folder: process {os.getpid()} on "), folder_lock(tmp_path):
                pass
