"""Read or compute the person boxes of a configured box source, and count those that are dropped."""

from pathlib import Path

import numpy as np

from transpose.config.box_files import absent_box_file, file_of
from transpose.config.dataset import Dataset, DetectionBoxes, DetectorBoxes, SimulatedBoxes
from transpose.data.box_counts import AnnotatedPersons, BoxCounts
from transpose.data.boxes import PersonBoxes, ground_truth_boxes, write_boxes
from transpose.data.coco import CocoAnnotations, dropped_instances
from transpose.data.detections import read_detections
from transpose.data.detector import detector_boxes
from transpose.data.image_source import image_source_of
from transpose.data.simulated_detector import simulated_boxes
from transpose.data.split_check import imported_check
from transpose.errors import InputError
from transpose.files import atomic_paths, sha256_of_file, write_json


def write_source_boxes(
    dataset: Dataset,
    split: str,
    name: str,
    annotations: CocoAnnotations,
    file: Path | None,
    output: Path,
    counts_output: Path,
) -> BoxCounts:
    """Write the boxes of a source to `output` and the counts of kept and dropped ones to `counts_output`.

    Args:
        name: box source of the data set.
        file: detection file or model to use in place of the configured one, for example the copy of a URL.

    Returns:
        The counts.

    Raises:
        InputError: there is no such source, or its file or an image is missing or wrong.
    """
    boxes, counts = source_boxes(dataset, split, name, annotations, file)
    with atomic_paths(counts_output, output) as (left_out, kept):
        write_json(left_out, counts.model_dump(mode="json"))
        write_boxes(boxes, kept)
    return counts


def source_boxes(
    dataset: Dataset, split: str, name: str, annotations: CocoAnnotations, file: Path | None
) -> tuple[PersonBoxes, BoxCounts]:
    """Return the boxes of one split from a box source, and their counts; see `write_source_boxes`."""
    if name not in dataset.boxes:
        raise InputError(f"no source {name!r}; known are {', '.join(dataset.boxes)}", file="data set", record="boxes")
    source = dataset.boxes[name]
    found, annotated = None, None
    if isinstance(source, DetectionBoxes):
        path = _present(source, file, dataset, split, name)
        found = read_detections(path, annotations.images, annotations.category_names, source.category)
        if found.left_out and not len(found.boxes):
            raise InputError(f"has no person in any image of {annotations.source}", file=path)
        boxes = found.boxes
    elif isinstance(source, DetectorBoxes):
        model, images = _present(source, file, dataset, split, name), image_source_of(annotations.source)
        boxes = detector_boxes(source, model, annotations.images, images)
    elif isinstance(source, SimulatedBoxes):
        boxes = simulated_boxes(annotations, source)
    else:
        boxes = ground_truth_boxes(annotations)
        annotated = AnnotatedPersons(persons=len(annotations.persons), **dropped_instances(annotations))
    imported = imported_check(annotations.source)
    return boxes, BoxCounts(
        dataset_title=dataset.title,
        split=split,
        boxes=name,
        kind=source.kind,
        kept=len(boxes),
        images=len(annotations.images),
        images_without_boxes=int((~np.isin(annotations.images.ids, boxes.image_ids)).sum()),
        other_categories=found.other_categories if found else 0,
        unknown_images=found.unknown_images if found else 0,
        empty_boxes=found.empty_boxes if found else 0,
        unreadable_images=len(imported.unusable_images) if imported else 0,
        areas_from_boxes=imported.derived.get("area_from_box", 0) if imported else 0,
        annotated=annotated,
    )


def _present(
    source: DetectionBoxes | DetectorBoxes, file: Path | None, dataset: Dataset, split: str, name: str
) -> Path:
    """Return the local file of a source."""
    configured = file_of(source, split)
    if file is None and configured.is_remote:
        raise InputError("is a URL: download the file and pass its path with --file", file=configured.address)
    path = file or Path(configured.address)
    if not path.is_file():
        raise absent_box_file(path, dataset, split, name)
    if configured.sha256 is not None and (digest := sha256_of_file(path)) != configured.sha256:
        raise InputError(f"sha256 is {digest}, not {configured.sha256} as configured", file=path)
    return path
