"""Convert and check fields of JSON records as arrays.

A converter takes the values of one field and raises ValueError if any of them is wrong. A column is converted at once;
only if that fails, each record is tried alone to name the wrong one.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from transpose.errors import InputError

Column = TypeVar("Column")
Converter = Callable[[list[Any]], Column]

_LARGEST_ID = 2**53
"""Largest integer that every JSON reader reads exactly."""

_LARGEST_SIDE = 2**20
"""OpenCV's limit for decoding, in pixels."""

_LARGEST_NUMBER = 1e12
"""Limit for coordinates and areas; squares and products of such numbers are still exact enough to compare."""


def _record_name(position: int) -> str:
    return f"record[{position}]"


def read_records(path: Path, content: object, field: str | None = None) -> list[dict[str, Any]]:
    """Return the list of objects in `content`, or in its `field`.

    Raises:
        InputError: it is missing, or not a list of objects.
    """
    if field is not None:
        if not isinstance(content, dict):
            raise InputError(f"must be an object with {field}, not {_shown(content)}", file=path)
        if field not in content:
            raise InputError("missing", file=path, field=field)
        content = content[field]
    if not isinstance(content, list):
        raise InputError(f"must be a list, not {_shown(content)}", file=path, field=field)
    for position, record in enumerate(content):
        if not isinstance(record, dict):
            raise InputError(
                f"must be an object, not {_shown(record)}", file=path, record=f"{field or 'record'}[{position}]"
            )
    return content


def column(
    path: Path,
    records: Sequence[dict[str, Any]],
    field: str,
    convert: Converter[Column],
    name: Callable[[int], str] = _record_name,
) -> Column:
    """Convert one field of all records.

    Args:
        convert: converter of this module.
        name: returns the name of the record at a position, for messages.

    Raises:
        InputError: a record lacks the field, or its value is wrong; file, record and field are named.
    """
    try:
        return convert([record[field] for record in records])
    except (KeyError, ValueError):
        for position, record in enumerate(records):
            if field not in record:
                raise InputError("missing", file=path, record=name(position), field=field) from None
            try:
                convert([record[field]])
            except ValueError as problem:
                raise InputError(str(problem), file=path, record=name(position), field=field) from None
        raise


def column_at(
    path: Path, records: Sequence[dict[str, Any]], positions: Sequence[int], field: str, convert: Converter[Column]
) -> Column:
    """Convert one field of the records at some positions; see `column`."""
    chosen = [records[position] for position in positions]
    return column(path, chosen, field, convert, lambda index: _record_name(positions[index]))


def optional_integers(path: Path, records: Sequence[dict[str, Any]], field: str, default: int) -> np.ndarray:
    """Convert an integer field to [N] int64, with a default for records that lack it.

    Raises:
        InputError: a value is not a non-negative integer; file, record and field are named.
    """
    present = [position for position, record in enumerate(records) if field in record]
    values = np.full(len(records), default)
    values[present] = column_at(path, records, present, field, as_integers)
    return values


def unique_ids(path: Path, records: Sequence[dict[str, Any]], kind: str) -> np.ndarray:
    """Return the field `id` of all records, [N] int64.

    Raises:
        InputError: an id is missing, no integer, negative, or repeated.
    """
    ids = column(path, records, "id", as_integers, lambda position: f"{kind}s[{position}]")
    values, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        raise InputError(
            f"{counts[counts > 1][0]} records have this id",
            file=path,
            record=f"{kind} {values[counts > 1][0]}",
            field="id",
        )
    return ids


def as_integers(values: list[Any]) -> np.ndarray:
    """Convert non-negative integers to [N] int64."""
    _require(set(map(type, values)) <= {int}, "must be an integer", values)
    _require(not values or (min(values) >= 0 and max(values) <= _LARGEST_ID), "must be an id from 0 to 2^53", values)
    return np.array(values, dtype=np.int64)


def whole_number(value: object) -> object:
    """Return the integer that 1.0 or "1" stands for; return other values unchanged."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value)
    return value


def as_sides(values: list[Any]) -> np.ndarray:
    """Convert image sides in pixels to [N] int64."""
    sides = as_integers(values)
    _require((sides > 0).all(), "must be positive", values)
    _require((sides <= _LARGEST_SIDE).all(), f"must be at most {_LARGEST_SIDE} pixels", values)
    return sides


def as_flags(values: list[Any]) -> np.ndarray:
    """Convert 0 and 1 to [N] bool."""
    _require(set(map(type, values)) <= {int, bool} and set(values) <= {0, 1}, "must be 0 or 1", values)
    return np.array(values, dtype=bool)


def as_texts(values: list[Any]) -> list[str]:
    """Return [N] non-empty strings."""
    _require(all(isinstance(value, str) and value for value in values), "must be a non-empty string", values)
    return values


def as_file_names(values: list[Any]) -> list[str]:
    """Return [N] relative paths that stay inside their folder."""
    for name in as_texts(values):
        leads_out = name.startswith("/") or ".." in name.split("/")
        _require(not leads_out, "must be inside the image folder", [name])
        # JSON strings may contain a lone surrogate or a null character.
        _require("\0" not in name and _is_unicode(name), "must be a valid file name", [name])
    return values


def as_numbers(values: list[Any]) -> np.ndarray:
    """Convert finite numbers to [N] float64."""
    _require(set(map(type, values)) <= {int, float}, "must be a number", values)
    return _finite(values, values)


def as_areas(values: list[Any]) -> np.ndarray:
    """Convert finite non-negative numbers to [N] float64."""
    areas = as_numbers(values)
    _require((areas >= 0).all(), "must not be negative", values)
    return areas


def as_vectors(values: list[Any], length: int) -> np.ndarray:
    """Convert lists of finite numbers to [N, length] float64."""
    _require(set(map(type, values)) <= {list}, f"must be a list of {length} numbers", values)
    lengths = set(map(len, values))
    _require(lengths <= {length}, f"must have {length} numbers, not {next(iter(lengths - {length}), 0)}", None)
    numbers = list(chain.from_iterable(values))
    _require(set(map(type, numbers)) <= {int, float}, f"must contain {length} numbers", values)
    return _finite(numbers, values).reshape(-1, length)


def as_boxes(values: list[Any]) -> np.ndarray:
    """Convert [x, y, width, height] with non-negative sides to [N, 4] float64."""
    boxes = as_vectors(values, 4)
    _require((boxes[:, 2:] >= 0).all(), "has a negative width or height", values)
    return boxes


def as_boxes_with_area(values: list[Any]) -> np.ndarray:
    """Convert [x, y, width, height] with positive sides to [N, 4] float64."""
    boxes = as_boxes(values)
    _require((boxes[:, 2:] > 0).all(), "has no width or no height", None)
    return boxes


def as_keypoints(values: list[Any], keypoints: int) -> np.ndarray:
    """Convert flat lists x, y, v, x, y, v, ... with v 0, 1 or 2 to [N, K, 3] float64."""
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
    _require((np.abs(array) <= _LARGEST_NUMBER).all(), f"must be at most {_LARGEST_NUMBER:g} in magnitude", values)
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
