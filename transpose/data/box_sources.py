"""From a configured box source to boxes."""

from pathlib import Path

from transpose.config.dataset import DetectionBoxes, GroundTruthBoxes, SimulatedBoxes
from transpose.data.boxes import PersonBoxes, detection_boxes, ground_truth_boxes
from transpose.data.coco import CocoAnnotations
from transpose.data.simulated_detector import simulated_boxes
from transpose.errors import InputError


def boxes_of_source(
    source: GroundTruthBoxes | DetectionBoxes | SimulatedBoxes, split: str, annotations: CocoAnnotations
) -> PersonBoxes:
    """Boxes of one split from the source that its data set's configuration names.

    Raises:
        InputError: the source has no detection file for the split, or that file is wrong.
    """
    if isinstance(source, GroundTruthBoxes):
        return ground_truth_boxes(annotations)
    if isinstance(source, SimulatedBoxes):
        return simulated_boxes(annotations, source)
    if split not in source.files:
        given = ", ".join(source.files) or "none"
        raise InputError("data set", "boxes", "files", f"no detection file for split {split!r}; given are {given}")
    return detection_boxes(Path(source.files[split]), annotations).boxes
