"""A split without the images that cannot be read: for those who would rather go on than mend their data first."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from transpose.config.base import Settings
from transpose.data.coco import ImageTable, load_annotations
from transpose.data.image_source import image_source_of, point_to_images_of
from transpose.data.images import ImageFiles
from transpose.errors import InputError
from transpose.files import read_json, write_json
from transpose.skeleton import Skeleton

_BROKEN = "broken.json"


class UnreadableImage(Settings):
    """An image that was left out, and why."""

    file_name: str
    problem: str


def drop_unreadable_images(annotations: Path, skeleton: Skeleton, jobs: int, output: Path) -> list[UnreadableImage]:
    """Write the annotation file `output` without the images that cannot be read, and without their people.

    Every image is decoded once. Beside the file appear `broken.json`, which names those that were left out, and
    where the others are. Annotations are not filtered: a record that is wrong is wrong in every other use too.

    Args:
        jobs: images that are decoded at a time.

    Raises:
        InputError: the annotations are missing or wrong, or no image can be read.
    """
    images = load_annotations(annotations, skeleton).images
    broken = [image for image in _check_all(annotations, images, jobs) if image is not None]
    if len(broken) == len(images):
        raise InputError(annotations, None, "images", f"no image can be read; the first: {broken[0].problem}")
    names = {image.file_name for image in broken}
    content: dict[str, Any] = read_json(annotations)
    kept = [record for record in content["images"] if record["file_name"] not in names]
    ids = {record["id"] for record in kept}
    people = [person for person in content["annotations"] if person["image_id"] in ids]
    point_to_images_of(output, annotations)
    write_json(output.with_name(_BROKEN), [image.model_dump() for image in broken])
    write_json(output, content | {"images": kept, "annotations": people}, indent=None)
    return broken


def unreadable_images(annotations: Path) -> int:
    """How many images were left out of an annotation file.

    Raises:
        InputError: the file that names them is broken.
    """
    named = annotations.with_name(_BROKEN)
    return len(read_json(named)) if named.is_file() else 0


def _check_all(annotations: Path, images: ImageTable, jobs: int) -> Iterator[UnreadableImage | None]:
    """What is wrong with each image."""
    files = ImageFiles(image_source_of(annotations), images)

    def judge(position: int) -> UnreadableImage | None:
        try:
            files.read(position)
        except InputError as error:
            return UnreadableImage(file_name=images.file_names[position], problem=error.problem)
        return None

    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(judge, range(len(images)))
