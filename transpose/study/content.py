"""Digests of the content of input files, as parameters of rules.

Snakemake compares time stamps. A parameter with the content makes a job run again also when a file has an old one.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from transpose.data.file_digests import FileDigests, images_sha256
from transpose.errors import InputError
from transpose.files import digest_of_value

ABSENT = "absent"
_LENGTH = 12


class Wildcards(Protocol):
    """The wildcards of a job."""

    def items(self) -> Iterable[tuple[str, Any]]:
        """Names and values."""
        ...


InputFile = Path | Callable[[Any], str | Path | list[str] | list[Path]]
"""A path with wildcards, or a function of the wildcards that returns one path or several."""


class InputContent:
    """Digests of input files and of the images of splits."""

    def __init__(self, cache: Path) -> None:
        """Load the digests that an earlier process has kept in `cache`."""
        self._files = FileDigests(cache)
        self._images: dict[tuple[object, ...], str] = {}

    def sha256(self, path: Path) -> str | None:
        """SHA-256 of a file; None if it is missing."""
        found = self._files.sha256(path)
        self._files.save()
        return found

    def images_sha256(self, annotations: Path) -> str | None:
        """SHA-256 of the images of an annotation file; None if the annotations are missing or wrong.

        Images count as unchanged while the annotations are, since this process asks many times.
        """
        state = (annotations, self.sha256(annotations), self.sha256(annotations.with_name("images.json")))
        if state not in self._images:
            try:
                self._images[state] = images_sha256(annotations)
            except InputError:
                return None
        return self._images[state]

    def of(self, images: InputFile | None = None, **files: InputFile) -> Callable[[Wildcards], list[str]]:
        """Return a function for the parameter `content` of a rule, a list such as `["weights:1f0c9ab47d52"]`.

        Rules have one such parameter, which a rule that inherits from another one replaces.

        Args:
            images: annotation file whose images are an input.
            files: input files by name.
        """

        def content(wildcards: Wildcards) -> list[str]:
            found = [self._named(name, _paths(file, wildcards), self.sha256) for name, file in files.items()]
            if images is not None:
                found.append(self._named("images", _paths(images, wildcards), self.images_sha256))
            return found

        return content

    def _named(self, name: str, paths: list[Path], digest: Callable[[Path], str | None]) -> str:
        found = [digest(path) for path in paths]
        return f"{name}:{short(found[0] if len(found) == 1 else digest_of_value(found))}"


def short(digest: str | None) -> str:
    """Return the first digits of a digest for a parameter."""
    return ABSENT if digest is None else digest[:_LENGTH]


def _paths(file: InputFile, wildcards: Wildcards) -> list[Path]:
    if isinstance(file, Path):
        values: Mapping[str, Any] = dict(wildcards.items())
        return [Path(str(file).format(**values))]
    found = file(wildcards)
    return [Path(path) for path in (found if isinstance(found, list) else [found])]
