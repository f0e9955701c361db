"""Fields of a person's record that follow from others: the labelled points, the flag, the box and the area."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain
from math import isfinite
from typing import Any

from pycocotools import mask

AREA_OF_BOX = 0.53
"""Area of a person's mask relative to its box, as xtcocotools assumes with `use_area=False`."""

Record = dict[str, Any]

Outline = list[list[float]] | Record | None
"""Polygons x, y, x, y, ..., or COCO's run lengths."""

Require = Callable[[bool, str, str], None]
"""Raises InputError for the record at hand unless the first argument holds; takes the field and the problem."""


def flat_points(value: object) -> object:
    """Return a list of points as one flat list; return other values unchanged."""
    if isinstance(value, list) and all(isinstance(point, list) for point in value):
        return list(chain.from_iterable(value))
    return value


def joined_points(record: Record, fields: Sequence[str]) -> object:
    """Return the keypoints of a record, of several fields as one flat list; None if one of several is not a list."""
    if len(fields) == 1:
        return record.get(fields[0])
    parts = [flat_points(record.get(field)) for field in fields]
    lists = [part for part in parts if isinstance(part, list)]
    return list(chain.from_iterable(lists)) if len(lists) == len(parts) else None


def read_points(value: object, keypoints: int, require: Require) -> tuple[list[float], bool]:
    """Return x, y, v, x, y, v, ... of a flat or nested list, and whether points without a label were changed."""
    flat = flat_points(value)
    require(isinstance(flat, list), "keypoints", f"must be a list of {3 * keypoints} numbers")
    assert isinstance(flat, list)
    require(len(flat) == 3 * keypoints, "keypoints", f"must have {3 * keypoints} numbers, not {len(flat)}")
    points: list[Any] = [*flat]
    changed = False
    for start in range(0, len(flat), 3):
        x, y, v = points[start : start + 3]
        unlabelled = v in (0, None) or (isinstance(v, float) and not isfinite(v))
        if unlabelled and not (_is_number(x) and _is_number(y) and v == 0):
            points[start : start + 3], changed = [0, 0, 0], True
            require(v == 0 or not (_is_number(x) and _is_number(y)), "keypoints", f"has the visibility {v}")
            continue
        require(v in (0, 1, 2), "keypoints", f"has the visibility {v}, which must be 0, 1 or 2")
        require(_is_number(x) and _is_number(y), "keypoints", f"has a labelled point ({x}, {y})")
        points[start + 2] = 2 if v == 2 else 1 if v == 1 else 0
    return points, changed


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def read_flag(record: Record, derived: Counter[str], require: Require) -> int:
    """Return `iscrowd` as 0 or 1; 0 if it is absent."""
    value = record.get("iscrowd")
    if value is None:
        derived["iscrowd"] += 1
        return 0
    require(value in (0, 1, "0", "1"), "iscrowd", f"must be 0 or 1, not {value!r}")
    return int(value)


def read_outline(segmentation: object) -> Outline:
    """Return the polygons, or the run lengths, of a segmentation; None where there is none that can be used."""
    if isinstance(segmentation, dict) and {"size", "counts"} <= segmentation.keys():
        return segmentation
    if isinstance(segmentation, list):
        polygons = [part for part in segmentation if isinstance(part, list) and len(part) >= 6]
        if polygons and all(_is_number(value) for part in polygons for value in part):
            return polygons
    return None


def _run_lengths(outline: Record) -> Any:
    if isinstance(outline["counts"], list):
        return mask.frPyObjects(outline, *outline["size"])  # pyright: ignore[reportArgumentType, reportCallIssue]
    return outline


def read_box(
    record: Record,
    outline: Outline,
    points: list[float],
    derived: Counter[str],
    require: Require,
) -> list[float] | None:
    """Return [x, y, width, height]: given, or around the segmentation, or around the labelled keypoints."""
    given = record.get("bbox")
    if given:
        is_box = isinstance(given, list) and len(given) == 4 and all(map(_is_number, given))
        require(is_box, "bbox", f"must have 4 numbers, not {given!r:.60}")
        require(min(given[2:]) >= 0, "bbox", "has a negative width or height")
        return given
    if isinstance(outline, dict):
        derived["bbox"] += 1
        return [float(value) for value in mask.toBbox(_run_lengths(outline))]
    if outline:
        derived["bbox"] += 1
        xs, ys = (list(chain.from_iterable(part[axis::2] for part in outline)) for axis in (0, 1))
    else:
        labelled = [start for start in range(0, len(points), 3) if points[start + 2] > 0]
        if not labelled:
            return None
        derived["bbox"] += 1
        derived["bbox_from_keypoints"] += 1
        xs, ys = ([points[start + axis] for start in labelled] for axis in (0, 1))
    return [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]


def read_area(
    record: Record,
    outline: Outline,
    box: list[float],
    derived: Counter[str],
    require: Require,
) -> float:
    """Return the area in square pixels: given, or of the segmentation, or a share of the box."""
    given = record.get("area")
    if given is not None:
        require(_is_number(given) and given >= 0, "area", f"must be a number that is not negative, not {given!r}")
        return given
    if isinstance(outline, dict):
        derived["area"] += 1
        return float(mask.area(_run_lengths(outline)))
    if outline:
        derived["area"] += 1
        return sum(map(_polygon_area, outline))
    derived["area"] += 1
    derived["area_from_box"] += 1
    return AREA_OF_BOX * box[2] * box[3]


def _polygon_area(polygon: list[float]) -> float:
    """Return the area of a polygon x, y, x, y, ... by the shoelace formula."""
    xs, ys = polygon[0::2], polygon[1::2]
    return abs(sum(xs[i - 1] * ys[i] - xs[i] * ys[i - 1] for i in range(len(ys)))) / 2
