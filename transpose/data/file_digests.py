"""SHA-256 of files and of the images of a split, each computed again only when a file has changed."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from transpose.data.digests import remembered_sha256
from transpose.data.image_source import ArchivedImages, image_location_of
from transpose.errors import InputError
from transpose.files import digest_of_value, read_json, sha256_of_file, write_text

IMAGE_DIGESTS = "images.sha256.json"
"""File next to an annotation file with the digests of its images."""
_HASHED_AT_ONCE = 1 << 20
"""Bytes up to which hashing a file costs less than keeping its digest."""
_IMAGES_HASHED_AT_ONCE = 64 << 20
"""The same for all images of a split; those that are part of the package are fewer."""
_THREADS = 8

State = tuple[int, int, int]
"""Size, and times of modification and of the last change; a copied time of modification leaves the last one new."""
_KEPT: TypeAdapter[dict[str, tuple[State, str]]] = TypeAdapter(dict[str, tuple[State, str]])


class FileDigests:
    """Digests of files, kept in a file for the next process."""

    def __init__(self, cache: Path) -> None:
        """Load the digests of an earlier process; a missing or damaged cache is empty."""
        self._cache = cache
        self._kept: dict[str, tuple[State, str]] = {}
        with suppress(OSError, ValidationError):
            self._kept = _KEPT.validate_json(cache.read_bytes())
        self._loaded = dict(self._kept)

    def sha256(self, path: Path) -> str | None:
        """Return the SHA-256 of a file; None if it is missing or cannot be read."""
        return self.of_all([path])[path]

    def of_all(self, paths: Iterable[Path]) -> dict[Path, str | None]:
        """Return the SHA-256 of several files, which are read in parallel."""
        states = {path: _state(path) for path in paths}
        found = {path: self._kept_digest(path, state) for path, state in states.items()}
        changed = [path for path, state in states.items() if state is not None and found[path] is None]
        with ThreadPoolExecutor(_THREADS) as pool:
            for path, digest in zip(changed, pool.map(_sha256, changed), strict=True):
                found[path] = digest
                state = states[path]
                if digest is not None and state is not None:
                    self._kept[str(path)] = state, digest
        return found

    def unchanged_since(self, path: Path) -> list[Path] | None:
        """Return the other files of the cache, in order, if `path` is in it and has not changed; otherwise None."""
        if self._kept_digest(path, _state(path)) is None:
            return None
        return sorted(Path(name) for name in self._kept if name != str(path))

    def save(self, only: Iterable[Path] | None = None) -> None:
        """Write the cache if a digest is new; a full or read-only disk is no error.

        Args:
            only: files to keep; None keeps all that are large.
        """
        names = None if only is None else set(map(str, only))
        kept = {
            name: (state, digest)
            for name, (state, digest) in self._kept.items()
            if (state[0] >= _HASHED_AT_ONCE if names is None else name in names)
        }
        if kept == self._loaded:
            return
        self._loaded = kept
        with suppress(InputError, OSError):
            write_text(self._cache, _KEPT.dump_json(kept).decode() + "\n")

    def _kept_digest(self, path: Path, state: State | None) -> str | None:
        kept = self._kept.get(str(path))
        return kept[1] if kept is not None and kept[0] == state else None


def images_sha256(annotations: Path) -> str:
    """Compute the SHA-256 over names and contents of the images that an annotation file lists.

    Digests of the images are kept in `images.sha256.json` next to the annotations. Images in an archive have the digest
    of the archive.

    Raises:
        InputError: the annotations or the archive are missing or cannot be read.
    """
    folder = image_location_of(annotations)
    if isinstance(folder, ArchivedImages):
        return digest_of_value([remembered_sha256(folder.archive), folder.folder])
    digests = FileDigests(annotations.with_name(IMAGE_DIGESTS))
    # The names are read again only when the annotations have changed, because the file can be large.
    paths = digests.unchanged_since(annotations)
    if paths is None or not all(path.is_relative_to(folder) for path in paths):
        paths = sorted(folder / name for name in _image_names(annotations))
    found = digests.of_all([annotations, *paths])
    if _is_worth_keeping(found):
        digests.save(only=found)
    return digest_of_value([[str(path.relative_to(folder)), found[path]] for path in paths])


def _image_names(annotations: Path) -> set[str]:
    content = read_json(annotations)
    images = content.get("images") if isinstance(content, Mapping) else None
    if not isinstance(images, list):
        raise InputError("missing", file=annotations, field="images")
    return {str(image.get("file_name")) for image in images if isinstance(image, Mapping)}


def _is_worth_keeping(found: Mapping[Path, str | None]) -> bool:
    """Whether the files are many, and all there: the kept names would otherwise lack those that are missing."""
    is_complete = None not in found.values()
    return is_complete and sum(path.stat().st_size for path in found) >= _IMAGES_HASHED_AT_ONCE


def _state(path: Path) -> State | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _sha256(path: Path) -> str | None:
    with suppress(InputError):
        return sha256_of_file(path)
    return None
