"""The one error a user can cause is one line."""

import pickle

import pytest

from transpose.errors import InputError


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
    assert str(InputError(*places, "missing")) == line


def test_it_is_one_line_whatever_the_problem_says() -> None:
    assert str(InputError("a\nb.json", None, None, "first\n  second\r\n")) == "a b.json: first second"


def test_it_comes_whole_out_of_another_process() -> None:
    error = pickle.loads(pickle.dumps(InputError("a.json", 3, "bbox", "missing")))
    assert isinstance(error, InputError)
    assert (error.file, error.record, error.field, error.problem) == ("a.json", 3, "bbox", "missing")
    assert str(error) == "a.json: 3: bbox: missing"
