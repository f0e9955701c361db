"""Find the images or the video that a user names: files, folders, patterns, names on standard input, a camera."""

import glob
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from transpose.errors import InputError

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""Files of a folder that are taken as images."""
VIDEO_SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv"})
STANDARD_INPUT = "-"
CAMERA = "camera:"
"""Prefix of a camera's number."""


def video_of(inputs: Sequence[str]) -> str | None:
    """Return the video file or camera among the inputs; None if they are images.

    Raises:
        InputError: a video is given together with other inputs.
    """
    videos = [name for name in inputs if name.startswith(CAMERA) or _is_video_file(name)]
    if videos and len(inputs) > 1:
        raise InputError("a video or camera must be the only input", file=videos[0])
    return videos[0] if videos else None


def images_of(inputs: Sequence[str], names: Iterable[str]) -> list[Path]:
    """Return the image files of the inputs, in their order.

    A folder stands for the images directly in it and a pattern (`*`, `?`, `[]`, `**`) for the files that match, both
    sorted by name.

    Args:
        inputs: image files, folders, patterns, or `-` for `names`.
        names: lines with one image file each, such as standard input.

    Raises:
        InputError: a file does not exist, a folder has no images, a pattern matches no file, or there are no names.
    """
    return [path for name in inputs for path in _images_named(name, names)]


def _is_video_file(name: str) -> bool:
    path = Path(name)
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir()


def _images_named(name: str, names: Iterable[str]) -> Iterator[Path]:
    if name == STANDARD_INPUT:
        return _listed(names)
    path = Path(name)
    if path.is_dir():
        return _in_folder(path)
    if not path.exists() and glob.has_magic(name):
        return _matching(name)
    return iter([_existing(path)])


def _listed(names: Iterable[str]) -> Iterator[Path]:
    listed = [line.rstrip("\r\n") for line in names]
    if not any(listed):
        raise InputError("has no names of images", file="standard input")
    yield from (_existing(Path(name)) for name in listed if name)


def _in_folder(folder: Path) -> Iterator[Path]:
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
    if not found:
        raise InputError(f"the folder has no images ({', '.join(sorted(IMAGE_SUFFIXES))})", file=folder)
    yield from found


def _matching(pattern: str) -> Iterator[Path]:
    names = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 -- Path.glob refuses absolute patterns
    found = [path for path in map(Path, names) if path.is_file()]
    if not found:
        raise InputError("matches no file", file=pattern)
    yield from found


def _existing(path: Path) -> Path:
    if not path.exists():
        raise InputError("no such image", file=path)
    return path
