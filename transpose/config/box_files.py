"""Detection files and detector models of box sources, and the message for a missing file."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from transpose.config.dataset import BoxSource, Dataset, DetectionBoxes, DetectorBoxes
from transpose.errors import InputError

PUBLISHED_DETECTIONS = {
    "coco_val2017": "COCO_val2017_detections_AP_H_56_person.json (person AP 56.4, 104,125 boxes)",
    "coco_test_dev2017": "COCO_test-dev2017_detections_AP_H_609_person.json (person AP 60.9)",
}
"""Detection files of the published results, by benchmark of config/tables/published.yaml."""


@dataclass(frozen=True)
class BoxFile:
    """The detection file or detector model of a box source."""

    address: str
    """Path or URL."""
    sha256: str | None
    """Required digest; None if none is configured."""
    listed_as: str | None = None
    """Name in config/tables/downloads.yaml; None if it is not listed there."""

    @property
    def is_remote(self) -> bool:
        """Whether the address is a URL."""
        return self.address.lower().startswith(("http://", "https://"))

    @property
    def sha256_option(self) -> list[str]:
        """The digest as an option of `transpose step download-file`, if there is one."""
        return [f"--sha256={self.sha256}"] if self.sha256 else []

    @property
    def digest_record(self) -> str:
        """Path of the record that a listed file has the digest of the table."""
        return f"{self.address}.sha256.json"

    def local_path(self, folder: Path) -> Path:
        """Return the path of the file; a file from a URL is stored in `folder` by the URL's digest and last part."""
        if not self.is_remote:
            return Path(self.address)
        last = unquote(urlsplit(self.address).path).rpartition("/")[2]
        name = re.sub(r"[^A-Za-z0-9._-]", "_", last).lstrip(".") or "file"
        return folder / hashlib.sha256(self.address.encode()).hexdigest()[:12] / name


def box_file(source: BoxSource, split: str) -> BoxFile | None:
    """Return the file of a box source; None for a source without a file.

    Raises:
        InputError: the source has no detection file for the split.
    """
    return file_of(source, split) if isinstance(source, DetectionBoxes | DetectorBoxes) else None


def file_of(source: DetectionBoxes | DetectorBoxes, split: str) -> BoxFile:
    """Return the file of a box source that has one.

    Raises:
        InputError: the source has no detection file for the split.
    """
    if isinstance(source, DetectorBoxes):
        return BoxFile(source.model, source.sha256)
    if split not in source.files:
        given = ", ".join(source.files) or "none"
        raise InputError(
            f"no detection file for split {split!r}; given are {given}", file="data set", record="boxes", field="files"
        )
    return BoxFile(source.files[split], source.sha256.get(split), source.listed_as.get(split))


def absent_box_file(path: Path, dataset: Dataset, split: str, boxes: str) -> InputError:
    """Return the error for a missing file: which file is needed, and which other box sources there are."""
    others = ", ".join(name for name in dataset.boxes if name != boxes) or "none configured"
    published = PUBLISHED_DETECTIONS.get(dataset.benchmarks.get(split, ""))
    source = dataset.boxes[boxes]
    if isinstance(source, DetectionBoxes) and split in source.listed_as:
        wanted = f"`transpose step download-listed-file {source.listed_as[split]} --output {path}` downloads it"
    elif isinstance(source, DetectorBoxes):
        wanted = "put a person detector in ONNX format there"
    elif published:
        wanted = f"put {published} there, the paper's file, linked in the official repository's README"
    else:
        wanted = "put a detection file in COCO's format there"
    return InputError(f"no such file; {wanted}, or choose another box source: {others}", file=path)
