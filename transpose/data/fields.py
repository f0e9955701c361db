"""Columns of JSON records as checked arrays.

A converter takes many values of one field and raises ValueError with the problem when any of them is wrong. The whole
column is converted at once; only when that fails is each record tried alone, to name the culprit.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from transpose.errors import InputError

Column = TypeVar("Column")

_LARGEST_ID = 2**53
"""Integers up to here survive every JSON reader."""

_LARGEST_SIDE = 2**20
"""Pixels; OpenCV decodes no longer ones."""

_LARGEST_NUMBER = 1e12
"""No pixel and no area lies beyond, and squares and products of such numbers are still exact enough to compare."""


def read_records(path: Path, content: object, field: str | None = None) -> list[dict[str, Any]]:
    """The list of objects in `content`, or in its `field`.

    Raises:
        InputError: it is missing, or not a list of objects.
    """
    if field is not None:
        if not isinstance(content, dict):
            raise InputError(path, None, None, f"must be an object with {field}, not {_shown(content)}")
        if field not in content:
            raise InputError(path, None, field, "missing")
        content = content[field]
    if not isinstance(content, list):
        raise InputError(path, None, field, f"must be a list, not {_shown(content)}")
    for position, record in enumerate(content):
        if not isinstance(record, dict):
            raise InputError(path, f"{field or 'record'}[{position}]", None, f"must be an object, not {_shown(record)}")
    return content


def column(
    path: Path,
    records: Sequence[dict[str, Any]],
    field: str,
    convert: Callable[[list[Any]], Column],
    name: Callable[[int], str],
) -> Column:
    """One field of all records.

    Args:
        convert: converter of this module.
        name: what a message calls the record at a position.

    Raises:
        InputError: a record lacks the field, or its value is wrong; file, record and field are named.
    """
    try:
        return convert([record[field] for record in records])
    except (KeyError, ValueError):
        for position, record in enumerate(records):
            if field not in record:
                raise InputError(path, name(position), field, "missing") from None
            try:
                convert([record[field]])
            except ValueError as problem:
                raise InputError(path, name(position), field, str(problem)) from None
        raise


def unique_ids(path: Path, records: Sequence[dict[str, Any]], kind: str) -> np.ndarray:
    """[N] int64: the field `id` of all records.

    Raises:
        InputError: an id is missing, ill-typed, negative, or comes twice.
    """
    ids = column(path, records, "id", as_integers, lambda position: f"{kind}s[{position}]")
    values, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        raise InputError(path, f"{kind} {values[counts > 1][0]}", "id", f"{counts[counts > 1][0]} records have this id")
    return ids


def as_integers(values: list[Any]) -> np.ndarray:
    """[N] int64 from integers that are not negative."""
    _require(set(map(type, values)) <= {int}, "must be an integer", values)
    _require(not values or (min(values) >= 0 and max(values) <= _LARGEST_ID), "must be an id from 0 to 2^53", values)
    return np.array(values, dtype=np.int64)


def as_sides(values: list[Any]) -> np.ndarray:
    """[N] int64: sides of images in pixels."""
    sides = as_integers(values)
    _require((sides > 0).all(), "must be positive", values)
    _require((sides <= _LARGEST_SIDE).all(), f"must be at most {_LARGEST_SIDE} pixels", values)
    return sides


def as_flags(values: list[Any]) -> np.ndarray:
    """[N] bool from 0 and 1."""
    _require(set(map(type, values)) <= {int, bool} and set(values) <= {0, 1}, "must be 0 or 1", values)
    return np.array(values, dtype=bool)


def as_texts(values: list[Any]) -> list[str]:
    """[N] strings that are not empty."""
    _require(all(isinstance(value, str) and value for value in values), "must be a text that is not empty", values)
    return values


def as_file_names(values: list[Any]) -> list[str]:
    """[N] paths that do not lead out of the folder that they are in."""
    for name in as_texts(values):
        leads_out = name.startswith("/") or ".." in name.split("/")
        _require(not leads_out, "must lie below the images' folder", [name])
        # Half a character, which JSON can hold, and the end of a C string.
        _require("\0" not in name and _is_unicode(name), "must be a name that a file can have", [name])
    return values


def as_numbers(values: list[Any]) -> np.ndarray:
    """[N] float64 from finite numbers."""
    _require(set(map(type, values)) <= {int, float}, "must be a number", values)
    return _finite(values, values)


def as_areas(values: list[Any]) -> np.ndarray:
    """[N] float64 from finite numbers that are not negative."""
    areas = as_numbers(values)
    _require((areas >= 0).all(), "must not be negative", values)
    return areas


def as_vectors(values: list[Any], length: int) -> np.ndarray:
    """[N, length] float64 from lists of finite numbers."""
    _require(set(map(type, values)) <= {list}, f"must be a list of {length} numbers", values)
    lengths = set(map(len, values))
    _require(lengths <= {length}, f"must have {length} numbers, not {next(iter(lengths - {length}), 0)}", None)
    numbers = list(chain.from_iterable(values))
    _require(set(map(type, numbers)) <= {int, float}, f"must hold {length} numbers", values)
    return _finite(numbers, values).reshape(-1, length)


def as_boxes(values: list[Any]) -> np.ndarray:
    """[N, 4] float64 from [x, y, width, height] with sides that are not negative."""
    boxes = as_vectors(values, 4)
    _require((boxes[:, 2:] >= 0).all(), "has a negative width or height", values)
    return boxes


def as_keypoints(values: list[Any], keypoints: int) -> np.ndarray:
    """[N, K, 3] float64 from flat lists x, y, v, x, y, v, ... with v 0, 1 or 2."""
    points = as_vectors(values, 3 * keypoints).reshape(-1, keypoints, 3)
    wrong = points[..., 2][~np.isin(points[..., 2], (0, 1, 2))]
    _require(not len(wrong), f"has the visibility {wrong[0] if len(wrong) else ''}, which must be 0, 1 or 2", None)
    return points


def _finite(numbers: list[Any], values: list[Any]) -> np.ndarray:
    try:
        array = np.array(numbers, dtype=np.float64)
    except OverflowError:
        array = np.array([np.inf])
    _require(np.isfinite(array).all(), "must be finite", values)
    _require((np.abs(array) <= _LARGEST_NUMBER).all(), f"must not lie beyond {_LARGEST_NUMBER:g}", values)
    return array


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _require(holds: bool | np.bool_, problem: str, values: list[Any] | None) -> None:
    if not holds:
        shown = f", not {_shown(values[0])}" if values is not None and len(values) == 1 else ""
        raise ValueError(problem + shown)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
