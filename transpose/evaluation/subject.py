"""What every report says that it is about: a trained model, data and boxes."""

from pydantic import NonNegativeInt

from transpose.config.base import Name, Settings
from transpose.config.dataset import BoxKind


class Subject(Settings):
    """Which trained model was evaluated on what, with the digests that pin both."""

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
    """Boxes that the model was run on."""
    weights_sha256: str
    annotations_sha256: str
    boxes_sha256: str
