"""The error browser: an HTML page with the worst and best predictions of one or more models.

This module defines and writes the page; `error_browser_cases` cuts its images.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from transpose.attention.maps.stored import COARSE, pack
from transpose.data.coco import PersonInstances
from transpose.evaluation.error_types.cases import Case, Outcome, outcome_of
from transpose.evaluation.error_types.groups import by_size
from transpose.evaluation.error_types.keypoints import KeypointClass
from transpose.evaluation.error_types.mended import Diagnosed
from transpose.evaluation.error_types.predictions import PredictionClass
from transpose.files import atomic_folder, write_text
from transpose.reporting.page_images import data_url
from transpose.reporting.page_parts import (
    json_in_html,
    page_colours,
    page_environment,
    policy_digest,
    shared_style,
    template_source,
)

LARGEST_EMBEDDED = 7_000_000
"""Bytes of images on a self-contained page: with Base64, attention and script it stays under 15 MB."""

_STRONGEST = 32.0
"""Upper end of the colour scale of attention, in multiples of uniform attention."""


@dataclass(frozen=True)
class CaseImage:
    """The part of an image that a case shows."""

    start_xy: tuple[int, int]
    """First pixel in the image."""
    scale: float
    """Crop pixels per image pixel."""
    size_hw: tuple[int, int]
    jpeg: bytes
    thumbnail: bytes
    """JPEG."""

    def place(self, points_xy: np.ndarray) -> np.ndarray:
        """Convert image pixels [..., 2] to crop pixels; 0 is the centre of the first pixel in both."""
        return (points_xy - self.start_xy + 0.5) * self.scale - 0.5


@dataclass(frozen=True)
class CaseAttention:
    """Dependency areas of one model's keypoints in a case."""

    areas: np.ndarray
    """[K, L] float32, in multiples of uniform attention: last layer, mean over heads, unflipped pass."""
    size: tuple[int, int]
    """(rows, columns) of the grid."""
    first_xy: tuple[float, float]
    """Centre of the first cell, image pixels."""
    side: float
    """Of a cell, image pixels."""


@dataclass(frozen=True)
class BrowsedModel:
    """Results of a model."""

    title: str
    diagnosed: Diagnosed
    attention: Mapping[int, CaseAttention] = field(default_factory=dict[int, CaseAttention])
    """By case, as far as it is known."""


@dataclass(frozen=True)
class BrowserPage:
    """Content of a page; all models are of the same annotations."""

    title: str
    models: Sequence[BrowsedModel]
    cases: Sequence[Case]
    images: Sequence[CaseImage]
    """Of each case."""


def write_browser(page: BrowserPage, path: Path, images: Path) -> None:
    """Write a page as one HTML file, which loads nothing from other servers.

    If its images have more bytes than `LARGEST_EMBEDDED`, they are files that the page loads when it shows them, and
    only thumbnails are in the page.

    Args:
        images: folder of such files, next to the page; it is written only if there are any.
    """
    embedded = sum(len(image.jpeg) for image in page.images) <= LARGEST_EMBEDDED
    if not embedded:
        with atomic_folder(images) as folder:
            for index, image in enumerate(page.images):
                (folder / _image_name(index)).write_bytes(image.jpeg)
    environment = page_environment()
    script = template_source(environment, "reporting/templates/drawing.js", "reporting/templates/errors.js")
    styles = template_source(environment, "reporting/templates/viewer.css", "reporting/templates/errors.css")
    style = shared_style() + styles
    html = environment.get_template("reporting/templates/errors.html").render(
        title=page.title,
        script=script,
        style=style,
        script_digest=policy_digest(script),
        style_digest=policy_digest(style),
        sources="data:" if embedded else "data: 'self' file:",
        data=json_in_html(page_data(page, None if embedded else images.name)),
        areas=dict(_packed_areas(page)),
    )
    write_text(path, html)


def page_data(page: BrowserPage, folder: str | None) -> dict[str, Any]:
    """Return the values that the page's script reads, without the attention.

    Args:
        folder: name of the folder of the images; None: they are in the page.
    """
    first = page.models[0].diagnosed
    persons = first.annotations.persons
    sizes = {name: np.flatnonzero(chosen).tolist() for name, chosen in by_size(persons).items()}
    size_of = {row: name for name, rows in sizes.items() for row in rows}
    return {
        "keypoints": [name.replace("_", " ") for name in first.skeleton.keypoints],
        "limbs": first.skeleton.limb_indices.tolist(),
        "sizes": list(sizes),
        "keypointClasses": [kind.label for kind in KeypointClass],
        "predictionClasses": [kind.label for kind in PredictionClass],
        "models": [{"title": model.title, "counts": _counts(model.diagnosed)} for model in page.models],
        "cases": [
            {
                "name": first.annotations.images.file_names[case.image],
                "annotation": None if case.person is None else int(persons.annotation_ids[case.person]),
                "sizeName": None if case.person is None else size_of[case.person],
                "size": image.size_hw,
                "image": data_url(image.jpeg) if folder is None else f"{folder}/{_image_name(index)}",
                "thumbnail": None if folder is None else data_url(image.thumbnail),
                "truth": None if case.person is None else _truth(persons, case.person, image),
                "others": [_truth(persons, row, image) for row in _others(first, case)],
                "results": [
                    _result(model, index, case, row, image) for model, row in zip(page.models, case.rows, strict=True)
                ],
            }
            for index, (case, image) in enumerate(zip(page.cases, page.images, strict=True))
        ],
        "colours": page_colours(),
        "range": [COARSE.floor, _STRONGEST],
        "scale": {"floor": COARSE.floor, "steps": COARSE.steps},
    }


def _counts(diagnosed: Diagnosed) -> dict[str, list[int]]:
    """Return the numbers of all keypoints and predictions of each class, in the order of the classes."""
    return {
        "keypoints": [int((diagnosed.keypoint_classes == kind).sum()) for kind in KeypointClass],
        "predictions": [int((diagnosed.prediction_classes == kind).sum()) for kind in PredictionClass],
    }


def _truth(persons: PersonInstances, row: int, image: CaseImage) -> list[list[float]]:
    """Return x, y, v of each keypoint of a person; 0 where it is not labelled."""
    keypoints = persons.keypoints[row]
    labelled = keypoints[:, 2] > 0
    points = np.where(labelled[:, None], image.place(keypoints[:, :2]), 0).round(1)
    return np.concatenate((points, keypoints[:, 2:]), axis=1).tolist()


def _others(diagnosed: Diagnosed, case: Case) -> list[int]:
    """Return the rows of the other evaluated persons in the image of a case."""
    image_id = diagnosed.annotations.images.ids[case.image]
    here = (diagnosed.annotations.persons.image_ids == image_id) & diagnosed.assignment.is_evaluated
    return [row for row in np.flatnonzero(here).tolist() if row != case.person]


def _result(model: BrowsedModel, index: int, case: Case, row: int | None, image: CaseImage) -> dict[str, Any] | None:
    outcome = outcome_of(model.diagnosed, case, row)
    if outcome is None:
        return None
    found: dict[str, Any] = {
        "kind": None if outcome.prediction is None else int(outcome.prediction),
        "oks": round(outcome.oks, 3),
        "classes": outcome.keypoints.tolist(),
        "score": None,
        "points": None,
        "terms": None,
        "attention": None,
    }
    return found if row is None else found | _prediction(model, index, row, image, outcome)


def _prediction(model: BrowsedModel, index: int, row: int, image: CaseImage, outcome: Outcome) -> dict[str, Any]:
    keypoints = model.diagnosed.results.keypoints[row]
    points = np.concatenate((image.place(keypoints[:, :2]).round(1), keypoints[:, 2:].round(2)), axis=1)
    attention = model.attention.get(index)
    return {
        "score": round(float(model.diagnosed.results.scores[row]), 3),
        "points": points.tolist(),
        "terms": outcome.similarities.round(2).tolist(),
        "attention": None if attention is None else _lattice(attention, image),
    }


def _lattice(attention: CaseAttention, image: CaseImage) -> dict[str, float]:
    """Return the grid of cells in crop pixels."""
    x, y = image.place(np.array(attention.first_xy)).tolist()
    rows, columns = attention.size
    return {"rows": rows, "columns": columns, "x": x, "y": y, "side": attention.side * image.scale}


def _packed_areas(page: BrowserPage) -> Iterator[tuple[str, str]]:
    """Yield (element id, Base64 text) of each case's attention."""
    for number, model in enumerate(page.models):
        for index, attention in model.attention.items():
            yield f"attention-{number}-{index}", base64.b64encode(pack(COARSE.quantise(attention.areas))).decode()


def _image_name(index: int) -> str:
    return f"{index:05d}.jpg"
