"""Drop unreadable images from a split."""

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
    """A dropped image and the reason."""

    file_name: str
    problem: str


def drop_unreadable_images(annotations: Path, skeleton: Skeleton, jobs: int, output: Path) -> list[UnreadableImage]:
    """Write the annotation file `output` without unreadable images and their persons.

    Every image is decoded once. `broken.json` with the dropped images and `images.json` with the location of the images
    are written next to `output`. Wrong annotations are not dropped but raise an error.

    Args:
        jobs: number of images decoded in parallel.

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
    """Return the number of images dropped from an annotation file.

    Raises:
        InputError: `broken.json` is invalid.
    """
    named = annotations.with_name(_BROKEN)
    return len(read_json(named)) if named.is_file() else 0


def _check_all(annotations: Path, images: ImageTable, jobs: int) -> Iterator[UnreadableImage | None]:
    """Yield the problem of each image, None for readable ones."""
    files = ImageFiles(image_source_of(annotations), images)

    def check(position: int) -> UnreadableImage | None:
        try:
            files.read(position)
        except InputError as error:
            return UnreadableImage(file_name=images.file_names[position], problem=error.problem)
        return None

    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(check, range(len(images)))
