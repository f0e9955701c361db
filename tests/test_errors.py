"""What a user or a machine can cause is one line."""

import pickle

import pytest

from transpose import cli
from transpose.errors import InputError, lost_worker


@pytest.mark.parametrize(
    ("places", "line"),
    [
        (("a.json", "annotation 3", "bbox"), "a.json: annotation 3: bbox: missing"),
        (("a.json", None, "bbox"), "a.json: bbox: missing"),
        (("a.json", 0, None), "a.json: 0: missing"),
        (("a.json", None, None), "a.json: missing"),
    ],
)
def test_it_names_the_places_that_are_known(places: tuple[object, object, str | None], line: str) -> None:
    assert str(InputError("missing", *places)) == line


def test_it_is_one_line_whatever_the_problem_says() -> None:
    assert str(InputError("first\n  second\r\n", file="a\nb.json")) == "a b.json: first second"


def test_it_comes_whole_out_of_another_process() -> None:
    error = pickle.loads(pickle.dumps(InputError("missing", file="a.json", record=3, field="bbox")))
    assert isinstance(error, InputError)
    assert (error.file, error.record, error.field, error.problem) == ("a.json", 3, "bbox", "missing")
    assert str(error) == "a.json: 3: bbox: missing"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://me:s3cret@host/a", "http://...@host/a"),
        ("a: https://me@host:80/b; ftp://me:s3/cr?et@c/d", "a: https://...@host:80/b; ftp://...@c/d"),
        ("https://host:8080/@scope/a https://host/b@c", "https://host:8080/@scope/a https://host/b@c"),
    ],
)
def test_passwords_in_urls_are_not_printed(text: str, shown: str) -> None:
    assert str(InputError(text)) == shown
    assert str(InputError("missing", file=text)) == f"{shown}: missing"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("DataLoader worker (pid 7) is killed by signal: Killed. ", "killed by signal: Killed"),
        ("DataLoader worker (pid(s) 7, 8) exited unexpectedly", "exited unexpectedly"),
    ],
)
def test_a_lost_worker_is_one_line_whatever_the_command_was_at(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str, reason: str
) -> None:
    def interrupted(prog_name: str) -> None:
        raise RuntimeError(words)

    monkeypatch.setattr(cli, "app", interrupted)
    with pytest.raises(SystemExit, match=r"^1$"):
        cli.main()
    assert capsys.readouterr().err.startswith(
        f"transpose: a process that loads images has ended ({reason}); run the same"
    )


def test_another_error_is_no_lost_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(prog_name: str) -> None:
        raise RuntimeError("shape mismatch")

    assert lost_worker(RuntimeError("shape mismatch")) is None
    monkeypatch.setattr(cli, "app", broken)
    with pytest.raises(RuntimeError, match="shape"):
        cli.main()
