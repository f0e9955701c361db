"""What tables call things."""

from transpose.config.dataset import BoxKind
from transpose.config.study import EvalProtocol

NOT_RUN = "not run"

BOX_WORDS: dict[BoxKind, str] = {
    "ground_truth": "ground-truth boxes",
    "detections": "detector boxes",
    "detector": "boxes of a detector that was run here",
    "simulated": "simulated boxes (ground truth with errors, no detector)",
}

DEPTH_WORDS = {
    "last_layer": "as keys of the last layer",
    "all_layers": "as keys of all layers",
    "image": "in the image",
}
"""The ways in which cells are masked."""

_IRRELEVANT_TO_RESULTS = {"batch_size", "threads"}


def decisive(protocol: EvalProtocol) -> dict[str, object]:
    """What of a protocol decides results."""
    return protocol.model_dump(exclude=_IRRELEVANT_TO_RESULTS)


def protocol_words(protocol: EvalProtocol) -> str:
    """What of a protocol is not official, in words."""
    if decisive(protocol) == decisive(EvalProtocol()):
        return "official protocol"
    official = decisive(EvalProtocol())
    changed = (f"{name} {_value_words(value)}" for name, value in decisive(protocol).items() if value != official[name])
    return f"protocol with {', '.join(changed)}"


def _value_words(value: object) -> str:
    return "off" if value is None or value is False else str(value)


def size_words(size: tuple[int, int]) -> str:
    """An input size (height, width) as tables write it."""
    return f"{size[0]}x{size[1]}"
