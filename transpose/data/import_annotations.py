"""Read keypoint annotations in the forms in which labelling tools and public data sets write COCO's format.

What follows from other fields is derived and counted; what does not concern the chosen categories is left out and
counted. The result is plain COCO, which `coco.load_annotations` reads.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from transpose.config.dataset import CategoryChoice
from transpose.data.coco import PERSON_CATEGORY
from transpose.data.fields import read_records, whole_number
from transpose.data.person_fields import (
    Record,
    Require,
    flat_points,
    joined_points,
    read_area,
    read_box,
    read_flag,
    read_outline,
    read_points,
)
from transpose.errors import InputError
from transpose.files import read_json
from transpose.skeleton import Skeleton


@dataclass
class ImportedAnnotations:
    """Annotations as plain COCO records, and what was done to make them so."""

    images: list[Record]
    """`id`, `file_name`, and `height`, `width` and `crowdIndex` where the file has them; in file order."""
    persons: list[Record]
    """`id`, `image_id`, `category_id`, `bbox`, `keypoints`, `num_keypoints`, `area`, `iscrowd`."""
    image_names: dict[int | str | None, int]
    """The image ids of the file, which may be texts, -> ids of `images`."""
    clips_boxes: bool
    category_names: list[int | str]
    """Ids and names of the categories that were read."""
    derived: Counter[str] = field(default_factory=Counter)
    """Field that was derived -> number of records."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Reason -> number of records."""
    field_sizes: dict[str, int] = field(default_factory=dict)
    """Keypoint field -> number of its keypoints; empty without persons."""


def import_annotations(
    path: Path,
    skeleton: Skeleton,
    category: CategoryChoice = None,
    keypoint_fields: Sequence[str] = ("keypoints",),
) -> ImportedAnnotations:
    """Read an annotation file of any tool.

    Args:
        category: name or id of the category, or a list of them; by default the one with keypoints, or all if they have
            the same keypoints.
        keypoint_fields: fields of a person whose points, one after the other, are the skeleton's keypoints.

    Raises:
        InputError: no category fits, required fields are missing (all of them are named), or a value is wrong.
    """
    content = read_json(path)
    tables = ("images", "annotations", "categories")
    if isinstance(content, dict) and (absent := [name for name in tables if name not in content]):
        raise InputError(f"missing fields: {', '.join(absent)}", file=path)
    records = {name: read_records(path, content, name) for name in tables}
    # COCO-WholeBody's category lists the keypoints of the first field only.
    is_joined = len(keypoint_fields) > 1
    chosen = _chosen_categories(path, records["categories"], skeleton, category, is_joined)
    only = records["categories"][0].get("id") if len(records["categories"]) == 1 else None
    persons = [record for record in records["annotations"] if _plain_id(record.get("category_id", only)) in chosen]
    _check_required(path, {"images": (records["images"], ("id", "file_name")), "annotations": (persons, ("image_id",))})
    images, names, derived = _images(path, records["images"])
    info = content.get("info")
    clips_boxes = info.get("clip_boxes", True) if isinstance(info, dict) else True
    read = [record for record in records["categories"] if _plain_id(record.get("id")) in chosen]
    spellings = [name for record in read for name in (_plain_id(record.get("id")), record.get("name"))]
    known_as = [name for name in spellings if isinstance(name, int | str)]
    result = ImportedAnnotations(images, [], names, clips_boxes, known_as, derived)
    result.left_out["other_category"] = len(records["annotations"]) - len(persons)
    ids = _annotation_ids(path, persons, derived)
    for annotation_id, record in zip(ids, persons, strict=True):
        _add_person(result, path, record, annotation_id, len(skeleton), keypoint_fields)
    result.derived, result.left_out = +result.derived, +result.left_out
    return result


def _chosen_categories(
    path: Path, categories: list[Record], skeleton: Skeleton, choice: CategoryChoice, lists_first: bool
) -> set[int | str | None]:
    """Return the ids of the categories to read; with `lists_first` they may list only the first keypoints."""
    if choice is not None:
        wanted = choice if isinstance(choice, list | tuple) else [choice]
        chosen = [_find_category(path, categories, one) for one in wanted]
    else:
        chosen = [record for record in categories if record.get("keypoints")] or _without_keypoint_names(categories)
    if not chosen:
        raise InputError(
            f"none lists keypoints; set `category:` to one of {_names(categories)}", file=path, field="categories"
        )
    for record in chosen:
        # COCO's evaluator accepts a category without keypoint names.
        listed = record.get("keypoints") or list(skeleton.keypoints)
        expected = skeleton.keypoints[: len(listed)] if lists_first else skeleton.keypoints
        if list(map(_plain_name, listed)) != list(map(_plain_name, expected)):
            problem = (
                f"are {', '.join(map(str, listed))}; the skeleton {skeleton.name!r} has {', '.join(skeleton.keypoints)}"
            )
            hint = "" if choice is not None or len(chosen) == 1 else f"; `category:` chooses one of {_names(chosen)}"
            raise InputError(
                problem + hint, file=path, record=f"category {record.get('name', record.get('id'))}", field="keypoints"
            )
    return {_plain_id(record.get("id")) for record in chosen}


def _without_keypoint_names(categories: list[Record]) -> list[Record]:
    """Return the only category, or COCO's category of persons."""
    if len(categories) == 1:
        return categories
    return [
        record for record in categories if _plain_id(record.get("id")) == PERSON_CATEGORY and "person" in str(record)
    ]


def _find_category(path: Path, categories: list[Record], choice: int | str) -> Record:
    for record in categories:
        if choice in (record.get("name"), _plain_id(record.get("id"))):
            return record
    raise InputError(f"no category {choice!r}; known are {_names(categories)}", file=path, field="categories")


def _names(categories: list[Record]) -> str:
    return ", ".join(f"{record.get('name', '?')} ({record.get('id', '?')})" for record in categories) or "none"


def _plain_name(keypoint: object) -> str:
    return "_".join(str(keypoint).replace("-", " ").replace("_", " ").lower().split())


def _plain_id(value: object) -> int | str | None:
    """Return an id as an integer if it is one, also if written as 1.0 or "1"; return other texts unchanged."""
    number = whole_number(value)
    return number if isinstance(number, int | str) and not isinstance(number, bool) and number != "" else None


def _check_required(path: Path, required: dict[str, tuple[list[Record], tuple[str, ...]]]) -> None:
    """Check that all records have their required fields; names all that are missing anywhere in the file."""
    missing = [
        f"{name}[{absent[0]}] and {len(absent) - 1} more: {key}" if len(absent) > 1 else f"{name}[{absent[0]}]: {key}"
        for name, (records, keys) in required.items()
        for key in keys
        if (absent := [position for position, record in enumerate(records) if record.get(key) is None])
    ]
    if missing:
        raise InputError(f"missing fields: {'; '.join(missing)}", file=path)


def _check_unique(path: Path, kind: str, ids: Sequence[int | str | None]) -> None:
    for name, count in Counter(ids).items():
        if count > 1:
            raise InputError(f"{count} records have this id", file=path, record=f"{kind} {name}", field="id")


def _images(path: Path, records: list[Record]) -> tuple[list[Record], dict[int | str | None, int], Counter[str]]:
    """Return the images with integer ids, the map from the file's ids to them, and counts of derived fields."""
    names = [_plain_id(record["id"]) for record in records]
    for record, name in zip(records, names, strict=True):
        if name is None or (isinstance(name, int) and name < 0):
            raise InputError(
                "must be a whole number from 0, or a text", file=path, record=f"image {record['id']!r}", field="id"
            )
    _check_unique(path, "image", names)
    derived: Counter[str] = Counter()
    ids = [name for name in names if isinstance(name, int)]
    if len(ids) < len(names):
        ids, derived["image_id"] = list(range(1, len(names) + 1)), len(names)
    images = []
    for number, record in zip(ids, records, strict=True):
        sizes = {side: _side(path, number, side, record[side]) for side in ("height", "width") if record.get(side)}
        crowding = {"crowdIndex": record["crowdIndex"]} if "crowdIndex" in record else {}
        images.append(
            {"id": number, "file_name": record["file_name"], **(sizes if len(sizes) == 2 else {}), **crowding}
        )
    return images, dict(zip(names, ids, strict=True)), derived


def _side(path: Path, image: int, field: str, value: object) -> int:
    side = _plain_id(value)
    if not isinstance(side, int) or side <= 0:
        raise InputError(
            f"must be a positive number of pixels, not {value!r}", file=path, record=f"image {image}", field=field
        )
    return side


def _annotation_ids(path: Path, persons: list[Record], derived: Counter[str]) -> Sequence[int]:
    """Return the ids of annotations; new ones where they are absent, texts, or 0, which pycocotools cannot match."""
    ids = [_plain_id(record.get("id")) for record in persons]
    _check_unique(path, "annotation", [name for name in ids if name is not None])
    integers = [name for name in ids if isinstance(name, int) and name > 0]
    if len(integers) == len(ids):
        return integers
    derived["id"] = len(ids)
    return range(1, len(ids) + 1)


def _add_person(
    result: ImportedAnnotations,
    path: Path,
    record: Record,
    annotation_id: int,
    keypoints: int,
    keypoint_fields: Sequence[str],
) -> None:
    """Append a person with all of COCO's fields."""
    name = f"annotation {record.get('id', annotation_id)}"

    def require(holds: bool, field: str, problem: str) -> None:
        if not holds:
            raise InputError(problem, file=path, record=name, field=field)

    image_id = result.image_names.get(_plain_id(record["image_id"]))
    require(image_id is not None, "image_id", f"no image has the id {record['image_id']!r}")
    if not record.get(keypoint_fields[0]):
        result.left_out["no_keypoints_field"] += 1
        return
    for field_name in keypoint_fields[1:]:
        require(isinstance(record.get(field_name), list), field_name, "must be a list of points")
    points, cleaned = read_points(joined_points(record, keypoint_fields), keypoints, require)
    _check_field_sizes(result.field_sizes, record, keypoint_fields, require)
    result.derived["keypoints"] += cleaned
    labelled = sum(value > 0 for value in points[2::3])
    if _plain_id(record.get("num_keypoints")) != labelled:
        result.derived["num_keypoints"] += 1
    crowd = read_flag(record, result.derived, require)
    outline = read_outline(record.get("segmentation"))
    box = read_box(record, outline, points, result.derived, require)
    if box is None:
        result.left_out["no_box"] += 1
        return
    area = read_area(record, outline, box, result.derived, require)
    result.persons.append(
        {
            "id": annotation_id,
            "image_id": image_id,
            "category_id": PERSON_CATEGORY,
            "bbox": box,
            "keypoints": points,
            "num_keypoints": labelled,
            "area": area,
            "iscrowd": crowd,
            **({"head_size": record["head_size"]} if "head_size" in record else {}),
        }
    )


def _check_field_sizes(sizes: dict[str, int], record: Record, keypoint_fields: Sequence[str], require: Require) -> None:
    """Check that each keypoint field has as many keypoints as in the first person, which are added to `sizes`."""
    for name in keypoint_fields:
        points = flat_points(record[name])
        assert isinstance(points, list)
        size = sizes.setdefault(name, len(points) // 3)
        require(len(points) == 3 * size, name, f"must have {3 * size} numbers, as in other records, not {len(points)}")
