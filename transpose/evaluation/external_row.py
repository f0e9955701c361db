"""Metrics of another tool's results on an evaluated split, for a row of the comparison."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from transpose.config.base import Name
from transpose.config.bootstrap import Bootstrap
from transpose.config.code_version import Origin
from transpose.config.dataset import BoxKind, Dataset
from transpose.config.load import read_record
from transpose.config.study import ExternalResults as ExternalSettings
from transpose.config.study import Study
from transpose.data.boxes import PersonBoxes, read_boxes
from transpose.evaluation.external_annotations import AnnotatedKeypoints, read_annotations, require_same_images
from transpose.evaluation.external_evaluation import ExternalReport, report_values
from transpose.evaluation.external_results import ExternalResults
from transpose.files import atomic_paths, write_json, write_npz
from transpose.machine import describe_software
from transpose.provenance import code_version
from transpose.study.layout import RecordKind, ResultsLayout

_LIBRARIES = ("numpy", "pycocotools", "xtcocotools", "hotcoco")

_CLOSE = 1.0
"""Pixels between the centres of equal boxes: some tools count the centre from the middle of the first pixel."""

_SHARE = 0.95
"""Share of the predictions whose boxes must be those of a source."""


class ExternalRow(ExternalReport):
    """Metrics of another tool's results, and where they are from."""

    name: Name
    title: str
    dataset: Name
    dataset_title: str
    split: Name
    boxes: Name | None
    """Box source of the study that the file's boxes are of; None if they are not known."""
    boxes_kind: BoxKind | None
    origin: Origin
    """Code and machine that evaluated them."""


def write_external(layout: ResultsLayout, name: str, annotations: Path) -> None:
    """Evaluate results of the study's key `external`; write an `ExternalRow` and its table of matches (.npz).

    Raises:
        InputError: a file is missing or wrong, is of other images, or a reference evaluator disagrees.
    """
    settings = read_record(ExternalSettings, layout.record(RecordKind.EXTERNAL, name))
    dataset = read_record(Dataset, layout.record(RecordKind.DATASET, settings.dataset))
    bootstrap = read_record(Bootstrap, layout.record(RecordKind.BOOTSTRAP))
    study = read_record(Study, layout.record(RecordKind.STUDY))
    path = Path(settings.results)
    # The annotations are those that were imported, so their category is known.
    read = read_annotations(annotations, AnnotatedKeypoints(dataset.skeleton, fields=dataset.keypoint_fields))
    found = read.read_results(path, settings.category)
    require_same_images(path, found, read.truth)
    sources = {one.boxes: read_boxes(layout.boxes(one)) for one in study.settings_of(settings)}
    boxes = box_source_of(found, sources)
    values, table = report_values(read, found, bootstrap, path)
    row = ExternalRow(
        subset=False,
        name=name,
        title=settings.title,
        dataset=settings.dataset,
        dataset_title=dataset.title,
        split=settings.split,
        boxes=boxes,
        boxes_kind=None if boxes is None else dataset.boxes[boxes].kind,
        origin=Origin(code=code_version(__name__), environment=describe_software(_LIBRARIES)),
        **values,
    )
    report = layout.external(name)
    with atomic_paths(report.with_suffix(".npz"), report) as (arrays_file, report_file):
        write_npz(arrays_file, **vars(table))
        write_json(report_file, row.model_dump(mode="json"))


def box_source_of(found: ExternalResults, sources: Mapping[str, PersonBoxes]) -> str | None:
    """Return the source whose boxes have the centres that the results name; None if none has, or no centres are named.

    If several have, it is the one with the most.
    """
    if not len(found.results) or np.isnan(found.box_centres).any():
        return None
    shares = {name: _share_in(found, boxes) for name, boxes in sources.items()}
    best = max(shares, key=lambda name: shares[name], default=None)
    return best if best is not None and shares[best] >= _SHARE else None


def _share_in(found: ExternalResults, boxes: PersonBoxes) -> float:
    """Return the share of predictions whose box has the centre of a box in the same image."""
    centres = boxes.boxes_xywh[:, :2] + boxes.boxes_xywh[:, 2:] / 2
    by_image = np.argsort(boxes.image_ids, kind="stable")
    first = np.searchsorted(boxes.image_ids, found.results.image_ids, side="left", sorter=by_image)
    last = np.searchsorted(boxes.image_ids, found.results.image_ids, side="right", sorter=by_image)
    known = [
        bool((np.abs(centres[by_image[start:end]] - centre) <= _CLOSE).all(axis=1).any())
        for start, end, centre in zip(first.tolist(), last.tolist(), found.box_centres, strict=True)
    ]
    return sum(known) / len(known)
