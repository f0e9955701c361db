"""A split without the pictures that cannot be read: for those who would rather go on than mend their data first."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from transpose.config.base import Settings
from transpose.data.coco import ImageTable, load_annotations
from transpose.data.images import PictureFiles
from transpose.data.pictures import pictures_beside, point_to_pictures_of
from transpose.errors import InputError
from transpose.files import read_json, write_json
from transpose.skeleton import Skeleton

_BROKEN = "broken.json"


class BrokenPicture(Settings):
    """A picture that was left out, and why."""

    file_name: str
    problem: str


def sift_split(annotations: Path, skeleton: Skeleton, jobs: int, output: Path) -> list[BrokenPicture]:
    """Write the annotation file `output` without the pictures that cannot be read, and without their people.

    Every picture is decoded once. Beside the file appear `broken.json`, which names those that were left out, and
    where the others are. Annotations are not sifted: a record that is wrong is wrong in every other use too.

    Args:
        jobs: pictures that are decoded at a time.

    Raises:
        InputError: the annotations are missing or wrong, or no picture can be read.
    """
    images = load_annotations(annotations, skeleton).images
    broken = [picture for picture in _judged(annotations, images, jobs) if picture is not None]
    if len(broken) == len(images):
        raise InputError(annotations, None, "images", f"no picture can be read; the first: {broken[0].problem}")
    names = {picture.file_name for picture in broken}
    content: dict[str, Any] = read_json(annotations)
    kept = [image for image in content["images"] if image["file_name"] not in names]
    ids = {image["id"] for image in kept}
    people = [person for person in content["annotations"] if person["image_id"] in ids]
    point_to_pictures_of(output, annotations)
    write_json(output.with_name(_BROKEN), [picture.model_dump() for picture in broken])
    write_json(output, content | {"images": kept, "annotations": people}, indent=None)
    return broken


def broken_pictures(annotations: Path) -> int:
    """How many pictures were left out of an annotation file.

    Raises:
        InputError: the file that names them is broken.
    """
    named = annotations.with_name(_BROKEN)
    return len(read_json(named)) if named.is_file() else 0


def _judged(annotations: Path, images: ImageTable, jobs: int) -> Iterator[BrokenPicture | None]:
    """What is wrong with each picture."""
    files = PictureFiles(pictures_beside(annotations), images)

    def judge(position: int) -> BrokenPicture | None:
        try:
            files.read(position)
        except InputError as error:
            return BrokenPicture(file_name=images.file_names[position], problem=error.problem)
        return None

    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(judge, range(len(images)))
