"""Describe a labelled folder as a data set's YAML file, to be read and completed by a person."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from transpose.data.fields import read_records
from transpose.data.import_images import read_header
from transpose.errors import InputError
from transpose.files import read_json
from transpose.keypoint_names import mirrored_pairs, words_of
from transpose.skeleton import COCO_PERSON

_COCO_SIGMAS = {
    name.removeprefix("left_"): sigma for name, sigma in zip(COCO_PERSON.keypoints, COCO_PERSON.sigmas, strict=True)
}
_OTHER_SIGMA = float(np.median(COCO_PERSON.sigmas))
_OTHER_UPPER_PARTS = ("head", "neck", "face", "chin", "mouth", "chest", "thorax", "hand", "finger", "thumb")
_UPPER_PARTS = {name.removeprefix("left_") for name in COCO_PERSON.upper_body} | set(_OTHER_UPPER_PARTS)
_SPLIT_NAMES = ("train", "training", "val", "valid", "validation", "test")
_IMAGES_TRIED, _FOLDERS_TRIED = 5, 200


@dataclass(frozen=True)
class LabelledFolder:
    """Where the annotations and images of a split are."""

    root: Path
    annotations: Path
    """The annotation file below `root`."""
    images: Path
    """The folder of the images below `root`."""

    def splits(self) -> dict[str, Path]:
        """Return folders by split: this one, and those next to it with the same layout if it is named like a split."""
        if self.root.name not in _SPLIT_NAMES:
            return {"train": self.root}
        others = (self.root.parent / name for name in _SPLIT_NAMES)
        return {other.name: other for other in others if self._is_layout_of(other)}

    def _is_layout_of(self, root: Path) -> bool:
        return (root / self.annotations).is_file() and (root / self.images).is_dir()


@dataclass(frozen=True)
class KeypointCategory:
    """A category of an annotation file with its keypoints."""

    name: str
    keypoints: tuple[str, ...]
    limbs: tuple[tuple[str, str], ...]

    def upper_body(self) -> list[str]:
        """Return the keypoints whose names contain a part of the upper body."""
        return [name for name in self.keypoints if _UPPER_PARTS & set(words_of(name))]

    def sigmas(self) -> tuple[list[float], list[str]]:
        """Return OKS sigmas, and the keypoints that have none in COCO and get its median."""
        known = [next(map(_COCO_SIGMAS.get, filter(_COCO_SIGMAS.get, words_of(name))), None) for name in self.keypoints]
        unknown = [name for name, sigma in zip(self.keypoints, known, strict=True) if sigma is None]
        return [_OTHER_SIGMA if sigma is None else sigma for sigma in known], unknown


def describe_data(annotations: Path) -> str:
    """Return a data set's YAML file for an annotation file in COCO's keypoint format.

    Layout, category and keypoints are as found. Pairs, sigmas and the upper body are guessed from the keypoints' names.

    Raises:
        InputError: the file is missing or wrong, no category lists keypoints, or the images are not found near it.
    """
    content = read_json(annotations)
    names = [record.get("file_name") for record in islice(read_records(annotations, content, "images"), _IMAGES_TRIED)]
    folder = _find_folder(annotations, names)
    categories = [record for record in read_records(annotations, content, "categories") if record.get("keypoints")]
    if not categories:
        problem = "none lists keypoints; export in COCO's keypoint format, or add the list `keypoints` to the category"
        raise InputError(problem, file=annotations, field="categories")
    chosen = [_category(annotations, record) for record in categories]
    return "\n".join((*_layout_lines(folder), *_category_lines(chosen), *_skeleton_lines(chosen[0]))) + "\n"


def _find_folder(annotations: Path, names: Sequence[object]) -> LabelledFolder:
    """Find the folder with the first images: below that of the annotation file, or below its parent."""
    for root in (annotations.parent, annotations.parent.parent):
        for images in islice(_folders_below(root), _FOLDERS_TRIED):
            if names and not any(read_header(images, name).is_missing for name in names):
                return LabelledFolder(root, annotations.relative_to(root), images.relative_to(root))
    first = f"the first, {names[0]!r}, is" if names else "there are none; they are"
    raise InputError(f"{first} not in a folder next to or above this file", file=annotations, field="images")


def _folders_below(root: Path) -> Iterator[Path]:
    """Yield folders that may contain the images: `images`, the root, and those of two levels below it."""
    yield root / "images"
    yield root
    for pattern in ("*/", "*/*/"):
        yield from (path for path in sorted(root.glob(pattern)) if not path.name.startswith("."))


def _category(path: Path, record: dict[str, object]) -> KeypointCategory:
    keypoints = record["keypoints"]
    if not isinstance(keypoints, list) or not all(isinstance(name, str) for name in keypoints):
        raise InputError(
            "must be a list of names", file=path, record=f"category {record.get('name')}", field="keypoints"
        )
    found = record.get("skeleton")
    pairs = [pair for pair in found if _is_pair(pair)] if isinstance(found, list) else []
    # COCO counts keypoints from 1, but some tools count from 0.
    first = 0 if any(0 in pair for pair in pairs) else 1
    ends = [(one - first, other - first) for one, other in pairs]
    inside = [pair for pair in ends if all(0 <= end < len(keypoints) for end in pair)]
    limbs = tuple((keypoints[one], keypoints[other]) for one, other in inside)
    return KeypointCategory(str(record.get("name", record.get("id"))), tuple(keypoints), limbs)


def _is_pair(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(end, int) for end in value)


def _layout_lines(folder: LabelledFolder) -> list[str]:
    return [
        f"title: {_plain(folder.root.resolve().parent.name if folder.root.name in _SPLIT_NAMES else folder.root.name)}",
        "source:",
        "  kind: folder",
        f"  folders: {_plain({name: str(path) for name, path in folder.splits().items()})}",
        f"  annotations: {_plain(folder.annotations.as_posix())}",
        f"  images: {_plain(folder.images.as_posix())}",
        "boxes:",
        "  ground_truth: {kind: ground_truth}",
    ]


def _category_lines(found: list[KeypointCategory]) -> list[str]:
    if len(found) == 1 or len({one.keypoints for one in found}) == 1:
        return []
    others = ", ".join(one.name for one in found[1:])
    return [f"category: {_plain(found[0].name)}    # others with keypoints: {others}"]


def _skeleton_lines(category: KeypointCategory) -> list[str]:
    if category.keypoints == COCO_PERSON.keypoints:
        return ["# The keypoints are COCO's, so `skeleton` is left out."]
    sigmas, unknown = category.sigmas()
    lines = ["skeleton:", f"  name: {_plain(category.name)}", f"  keypoints: {_plain(category.keypoints)}"]
    lines += ["  # Left and right from the names; a keypoint without a pair stays itself when an image is mirrored."]
    lines += [f"  flip_pairs: {_plain(mirrored_pairs(category.keypoints))}"]
    lines += [f"  limbs: {_plain(category.limbs)}    # for drawing"]
    if len(unknown) < len(category.keypoints):
        lines += ["  # Sigmas are estimated: COCO's of the same body parts. AP depends on them."]
    if unknown:
        lines += [f"  # Sigmas are estimated: COCO has none for {', '.join(unknown)}; {_OTHER_SIGMA:g} is its median."]
    lines += [f"  sigmas: {_plain(sigmas)}", f"  joint_weights: {_plain([1] * len(category.keypoints))}"]
    return [*lines, f"  upper_body: {_plain(category.upper_body())}    # guessed from the names"]


def _plain(value: object) -> str:
    """Return a value as YAML on one line; JSON is YAML."""
    return json.dumps(value, ensure_ascii=False)
