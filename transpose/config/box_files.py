"""Files behind person boxes that the user names: where they lie, and what to do about one that is not there."""

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
"""Detection files that the published results stand on, by benchmark of config/published.yaml."""


@dataclass(frozen=True)
class BoxFile:
    """The detection file or the model behind a box source."""

    address: str
    """Path or URL."""
    sha256: str | None
    """Digest that it must have, if it comes from a URL; None if none is configured."""

    @property
    def is_remote(self) -> bool:
        """Whether the address is a URL."""
        return self.address.lower().startswith(("http://", "https://"))

    @property
    def sha256_option(self) -> list[str]:
        """The digest as an option of `transpose step download-file`; none without one."""
        return [f"--sha256={self.sha256}"] if self.sha256 else []

    def local_path(self, folder: Path) -> Path:
        """The file itself, or where in `folder` the file of a URL is kept: by the URL's digest and its last part."""
        if not self.is_remote:
            return Path(self.address)
        last = unquote(urlsplit(self.address).path).rpartition("/")[2]
        name = re.sub(r"[^A-Za-z0-9._-]", "_", last).lstrip(".") or "file"
        return folder / hashlib.sha256(self.address.encode()).hexdigest()[:12] / name


def box_file(source: BoxSource, split: str) -> BoxFile | None:
    """The file behind a box source; None for a source that needs none.

    Raises:
        InputError: the source has no detection file for the split.
    """
    return file_of(source, split) if isinstance(source, DetectionBoxes | DetectorBoxes) else None


def file_of(source: DetectionBoxes | DetectorBoxes, split: str) -> BoxFile:
    """The file behind a box source that has one.

    Raises:
        InputError: the source has no detection file for the split.
    """
    if isinstance(source, DetectorBoxes):
        return BoxFile(source.model, source.sha256)
    if split not in source.files:
        given = ", ".join(source.files) or "none"
        raise InputError("data set", "boxes", "files", f"no detection file for split {split!r}; given are {given}")
    return BoxFile(source.files[split], source.sha256.get(split))


def absent_box_file(path: Path, dataset: Dataset, split: str, boxes: str) -> InputError:
    """What to tell about a file that is not there: what belongs there, and which other box sources there are."""
    others = ", ".join(name for name in dataset.boxes if name != boxes) or "none configured"
    published = PUBLISHED_DETECTIONS.get(dataset.benchmarks.get(split, ""))
    if isinstance(dataset.boxes[boxes], DetectorBoxes):
        wanted = "a person detector in ONNX format belongs there"
    elif published:
        wanted = f"the paper used {published}, which the official repository's README links to; put it there"
    else:
        wanted = "a detection file in COCO's format belongs there"
    return InputError(path, None, None, f"no such file; {wanted}, or choose another box source: {others}")
