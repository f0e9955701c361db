"""Real photographs with COCO's person keypoints that ship with the package; sources and licences in ATTRIBUTION.md."""

from pathlib import Path


def photographs_folder() -> Path:
    """The folder with `annotations.json` (COCO person keypoints) and `images/`."""
    return Path(__file__).parent
