"""Photographs from COCO with person keypoints, included in the package; sources and licences in ATTRIBUTION.md."""

from pathlib import Path


def photographs_folder() -> Path:
    """Return the folder with `annotations.json` (COCO person keypoints) and `images/`."""
    return Path(__file__).parent
