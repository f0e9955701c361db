"""Body-part labels for each pixel of a rendered data set, from rendering its scenes again."""

from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask
from tqdm import tqdm

from transpose.config.dataset import SyntheticSource
from transpose.data.fields import as_flags, as_integers, column, read_records, unique_ids
from transpose.errors import InputError
from transpose.files import read_json, read_npz, write_npz
from transpose.synthetic.dataset import part_labels
from transpose.synthetic.pool import mapped

_LIMBS = ("upper_arm", "lower_arm", "thigh", "lower_leg")

PARTS = ("head", "torso", *(f"{side}_{limb}" for side in ("left", "right") for limb in _LIMBS))
"""Head includes the neck, torso the hips, lower arms the hands, lower legs the feet. Left is the person's left."""

NO_PERSON = 255
"""Label of pixels without a body part or without an annotated person."""

_LIMB_OF_BONE = {
    "shoulder01": "upper_arm",
    "upperarm01": "upper_arm",
    "upperarm02": "upper_arm",
    "lowerarm01": "lower_arm",
    "lowerarm02": "lower_arm",
    "wrist": "lower_arm",
    "upperleg01": "thigh",
    "upperleg02": "thigh",
    "lowerleg01": "lower_leg",
    "lowerleg02": "lower_leg",
    "foot": "lower_leg",
}
_SIDES = {"L": "left", "R": "right"}
_SAME_MASK = 0.99
"""Least intersection over union of a rendered figure and the mask of the same person."""


@dataclass(frozen=True)
class PartLabels:
    """M images of one size with N annotated persons."""

    image_ids: np.ndarray
    """[M] int64."""
    parts: np.ndarray
    """[M, H, W] uint8: position in `PARTS`, also of persons without annotation; `NO_PERSON` elsewhere."""
    owners: np.ndarray
    """[M, H, W] uint8: number of the annotated person within its image; `NO_PERSON` elsewhere."""
    annotation_ids: np.ndarray
    """[N] int64."""
    image_positions: np.ndarray
    """[N] int64: position in `image_ids`."""
    numbers: np.ndarray
    """[N] int64: the person's value in `owners`."""

    def of(self, annotation_id: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the parts [H, W] uint8 of a person's image, and the person's mask [H, W] bool.

        Raises:
            KeyError: there is no such person.
        """
        found = np.flatnonzero(self.annotation_ids == annotation_id)
        if not len(found):
            raise KeyError(annotation_id)
        image = self.image_positions[found[0]]
        return self.parts[image], self.owners[image] == self.numbers[found[0]]


def write_part_labels(settings: SyntheticSource, split: str, annotations: Path, jobs: int, output: Path) -> None:
    """Render the part labels of a split and write them as .npz, with one array per field of `PartLabels`.

    Args:
        annotations: annotations.json of the split, written by `synthesise`.
        jobs: number of processes; the labels do not depend on it.

    Raises:
        InputError: the settings have no such split, or the annotations are missing, malformed, or of other images.
    """
    content = read_json(annotations)
    image_ids = unique_ids(annotations, read_records(annotations, content, "images"), "image")
    persons = _persons_of_images(annotations, read_records(annotations, content, "annotations"), image_ids)
    label = partial(part_labels, settings, split)
    parts, owners, numbers = [], [], []
    with mapped(label, (image_ids - 1).tolist(), jobs) as rendered:
        for labels, own in zip(
            tqdm(rendered, f"label parts {split}", len(image_ids), unit="img"), persons, strict=True
        ):
            parts.append(parts_of_bones(labels[1], labels[2]))
            owners.append(persons_of_figures(annotations, labels[0], own))
            numbers += range(len(own))
    write_npz(
        output,
        image_ids=image_ids,
        parts=np.stack(parts),
        owners=np.stack(owners),
        annotation_ids=np.array([person["id"] for own in persons for person in own], dtype=np.int64),
        image_positions=np.repeat(np.arange(len(persons)), [len(own) for own in persons]),
        numbers=np.array(numbers, dtype=np.int64),
    )


def read_part_labels(path: Path) -> PartLabels:
    """Read a file written by `write_part_labels`.

    Raises:
        InputError: the file is missing or not a file of part labels.
    """
    return PartLabels(**read_npz(path, [field.name for field in fields(PartLabels)], "file of part labels"))


def part_of_bone(bone: str) -> int:
    """Return the position in `PARTS` of a bone of the body model."""
    name, _, side = bone.partition(".")
    if name in _LIMB_OF_BONE:
        return PARTS.index(f"{_SIDES[side]}_{_LIMB_OF_BONE[name]}")
    return PARTS.index("head" if name.startswith(("neck", "head")) else "torso")


def parts_of_bones(bones: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Convert bones [H, W], -1 for none, to parts [H, W] uint8."""
    parts = np.array([*(part_of_bone(name) for name in names), NO_PERSON], dtype=np.uint8)
    return parts[bones]


def persons_of_figures(source: Path, figures: np.ndarray, persons: list[dict[str, Any]]) -> np.ndarray:
    """Convert figures [H, W] to numbers [H, W] uint8 of the annotated persons with the same masks.

    Args:
        source: the annotation file, for messages.
        persons: annotations of this image.

    Raises:
        InputError: a person's mask is missing, or no figure matches it.
    """
    owners = np.full(figures.shape, NO_PERSON, dtype=np.uint8)
    for number, person in enumerate(persons):
        record, mask = f"annotation {person['id']}", _mask(source, person, figures.shape)
        inside = figures[mask & (figures >= 0)]
        drawn = figures == np.bincount(inside).argmax() if len(inside) else np.zeros_like(mask)
        if (drawn & mask).sum() < _SAME_MASK * (drawn | mask).sum():
            raise InputError(
                "does not match any person of the rendered image", file=source, record=record, field="segmentation"
            )
        owners[drawn] = number
    return owners


def _persons_of_images(
    source: Path, records: list[dict[str, Any]], image_ids: np.ndarray
) -> list[list[dict[str, Any]]]:
    """Return the annotations of each image, without crowds."""
    ids = unique_ids(source, records, "annotation")

    def name(position: int) -> str:
        return f"annotation {ids[position]}"

    image_of = column(source, records, "image_id", as_integers, name)
    crowd = column(source, records, "iscrowd", as_flags, name)
    return [
        [records[position] for position in np.flatnonzero((image_of == image_id) & ~crowd)] for image_id in image_ids
    ]


def _mask(source: Path, person: dict[str, Any], shape: tuple[int, ...]) -> np.ndarray:
    """Decode a person's mask [H, W] bool."""
    encoded = person.get("segmentation")
    if (
        not isinstance(encoded, dict)
        or encoded.get("size") != list(shape)
        or not isinstance(encoded.get("counts"), str)
    ):
        problem = f"must be a run-length encoded mask of {shape[0]}x{shape[1]} pixels"
        raise InputError(problem, file=source, record=f"annotation {person['id']}", field="segmentation")
    mask: Any = coco_mask.decode(encoded)  # pyright: ignore[reportArgumentType]
    return mask.astype(bool)
