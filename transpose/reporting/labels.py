"""Labels used in tables and figures."""

from transpose.config.dataset import BoxKind
from transpose.config.study import EvalProtocol
from transpose.evaluation.subject import Subject

NOT_RUN = "not run"

PUBLISHED_ONLY = "published only"
"""Result of a published row that no variant can reproduce."""

BOX_WORDS: dict[BoxKind, str] = {
    "ground_truth": "ground-truth boxes",
    "detections": "detector boxes",
    "detector": "boxes of a detector run by this workflow",
    "simulated": "simulated boxes (ground truth with errors, no detector)",
}

INTERVALS = "95 % intervals are of means over seeds, over images and trainings; with one seed, over images only."
"""Footnote of all tables with intervals."""

ANSWERS = (
    "clear: the interval over images and trainings excludes 0; differs, one training: so does the interval over images,"
    " but other trainings may differ; undecided: it contains 0"
)
"""Meaning of the words of `answer_words`."""

DEPTH_WORDS = {
    "last_layer": "as keys of the last layer",
    "all_layers": "as keys of all layers",
    "image": "in the image",
}
"""Where cells are masked."""

_IRRELEVANT_TO_RESULTS = {"batch_size", "threads", "runtime"}


def answer_words(interval: tuple[float, float] | None, trainings: int) -> str:
    """Return whether a difference is clear, from its interval and the number of pairs of trainings; see `ANSWERS`."""
    if interval is None:
        return "no interval"
    low, high = interval
    if low <= 0 <= high:
        return "undecided"
    return "clear" if trainings > 1 else "differs, one training"


def decisive(protocol: EvalProtocol) -> dict[str, object]:
    """Return the fields of a protocol that affect results."""
    return protocol.model_dump(exclude=_IRRELEVANT_TO_RESULTS)


def protocol_words(protocol: EvalProtocol) -> str:
    """Describe how a protocol differs from the official one."""
    if decisive(protocol) == decisive(EvalProtocol()):
        return "official protocol"
    official = decisive(EvalProtocol())
    changed = (f"{name} {_value_words(value)}" for name, value in decisive(protocol).items() if value != official[name])
    return f"protocol with {', '.join(changed)}"


def _value_words(value: object) -> str:
    return "off" if value is None or value is False else str(value)


def count_words(images: int, persons: int) -> str:
    """Return the numbers of evaluated images and persons."""
    return f"{images:,} images, {persons:,} persons"


def setting_title(subject: Subject) -> str:
    """Return data set, split and boxes as shown in headings."""
    return setting_words(subject.dataset_title, subject.split, subject.boxes)


def setting_words(dataset_title: str, split: str, boxes: str) -> str:
    """Return the same of any results."""
    return f"{dataset_title}, {split}, {boxes.replace('_', ' ')} boxes"


def model_title(subject: Subject) -> str:
    """Return setting and model as shown in headings."""
    return f"{setting_title(subject)}: {subject.title}"


def size_words(size: tuple[int, int]) -> str:
    """Format an input size (height, width)."""
    return f"{size[0]}x{size[1]}"
