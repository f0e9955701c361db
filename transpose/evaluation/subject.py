"""Header of every report: the trained model, the data set and the boxes."""

from pydantic import NonNegativeInt

from transpose.config.base import Name, Settings
from transpose.config.code_version import Origin
from transpose.config.dataset import BoxKind


class Subject(Settings):
    """The trained model and the data it was evaluated on, with their digests, and the code that did it."""

    variant: Name
    title: str
    seed: NonNegativeInt
    initialisation: str
    dataset: Name
    dataset_title: str
    split: Name
    boxes: Name
    boxes_kind: BoxKind
    box_count: NonNegativeInt
    """Number of boxes."""
    weights_sha256: str
    annotations_sha256: str
    boxes_sha256: str
    images_sha256: str
    """SHA-256 over names and contents of the images, see `images_sha256`."""
    origin: Origin
    """Code and machine that wrote the report."""
