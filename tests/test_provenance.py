"""Fingerprints change with the code they name, and with nothing else."""

import subprocess
from pathlib import Path

import pytest

from transpose import provenance
from transpose.provenance import TRAINING_CODE, code_fingerprint, git_state


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A made-up package in the place of ours."""
    folder = tmp_path / "package"
    (folder / "data" / "deep").mkdir(parents=True)
    for name in ("a.py", "b.py", "data/c.py", "data/deep/d.py", "data/table.csv"):
        (folder / name).write_text(name)
    monkeypatch.setattr(provenance, "PACKAGE", folder)
    return folder


def fingerprint(*parts: str) -> str:
    code_fingerprint.cache_clear()
    try:
        return code_fingerprint(*parts)
    finally:
        code_fingerprint.cache_clear()


def test_it_is_16_hexadecimal_digits_and_repeats() -> None:
    first = code_fingerprint("geometry.py", "models")
    assert len(first) == 16
    assert int(first, 16) >= 0
    assert fingerprint("geometry.py", "models") == first


@pytest.mark.parametrize("parts", [("a.py", "data"), ("data", "a.py"), ("data", "data/c.py", "a.py")])
def test_order_and_overlap_of_parts_do_not_matter(package: Path, parts: tuple[str, ...]) -> None:
    assert fingerprint(*parts) == fingerprint("a.py", "data")


def test_no_parts_are_the_whole_package(package: Path) -> None:
    assert fingerprint() == fingerprint("a.py", "b.py", "data")


@pytest.mark.parametrize(
    ("changed", "matters"),
    [("a.py", True), ("data/deep/d.py", True), ("b.py", False), ("data/table.csv", False)],
)
def test_only_source_files_of_the_parts_matter(package: Path, changed: str, matters: bool) -> None:
    before = fingerprint("a.py", "data")
    (package / changed).write_text("edited")
    assert (fingerprint("a.py", "data") != before) == matters


def test_a_new_name_is_a_change(package: Path) -> None:
    before = fingerprint("data")
    (package / "data" / "c.py").rename(package / "data" / "e.py")
    assert fingerprint("data") != before


@pytest.mark.parametrize("part", ["geometri.py", "modells"])
def test_a_part_that_does_not_exist_is_refused(part: str) -> None:
    with pytest.raises(ValueError, match=f"no such part of the package: .*{part}"):
        fingerprint("geometry.py", part)


def test_the_training_code_exists() -> None:
    assert fingerprint(*TRAINING_CODE)


class TestGitState:
    def test_in_a_checkout(self, package: Path) -> None:
        def git(*arguments: str) -> str:
            command = ["git", "-C", str(package), "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments]
            return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

        git("init", "--quiet")
        git("add", ".")
        git("commit", "--quiet", "--message", "first")
        commit = git("rev-parse", "HEAD")
        assert git_state() == {"git": commit, "dirty": False}
        (package / "scratch.txt").touch()
        assert git_state() == {"git": commit, "dirty": False}
        (package / "a.py").write_text("edited")
        assert git_state() == {"git": commit, "dirty": True}

    def test_outside_of_a_checkout(self, package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(package.parent))
        assert git_state() == {"git": None, "dirty": None}

    def test_without_git(self, package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(package))
        assert git_state() == {"git": None, "dirty": None}
