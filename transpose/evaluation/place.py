"""What a path says that it is about."""

from pathlib import Path

from transpose.config.dataset import Dataset
from transpose.errors import InputError


def place_of(path: Path, dataset: Dataset) -> tuple[str, str, str]:
    """Data set, split and box source that a path .../DATASET/SPLIT/BOXES or .../DATASET/SPLIT/BOXES.json names.

    Raises:
        InputError: it names none, or the data set has no such box source.
    """
    name, split, source = path.parent.parent.name, path.parent.name, path.stem
    if not name or source not in dataset.boxes:
        known = ", ".join(dataset.boxes)
        raise InputError(path, None, None, f"must lie at DATASET/SPLIT/BOXES.json, BOXES being one of {known}")
    return name, split, source
