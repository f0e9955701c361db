"""The attention viewer: a self-contained HTML page that shows the attention of any cell or keypoint.

This module defines and writes the page; `viewer_models` creates its content.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from transpose.attention.maps.grid import Grid
from transpose.attention.maps.stored import LogScale, PackedAreas, Storage
from transpose.config.variant import Encoder
from transpose.files import write_text
from transpose.reporting.page_images import as_jpeg, data_url
from transpose.reporting.page_parts import (
    json_in_html,
    page_colours,
    page_environment,
    policy_digest,
    shared_style,
    template_source,
)
from transpose.skeleton import Skeleton

_JPEG_QUALITY = 88


@dataclass(frozen=True)
class PagePerson:
    """A person on the page."""

    image: str
    """Name of the image file."""
    annotation_id: int | None
    """None for a box without annotation."""
    box_xywh: tuple[float, ...]
    """Image pixels."""


@dataclass(frozen=True)
class PageCrops:
    """Crops of the P persons at one input size."""

    crops: np.ndarray
    """[P, H, W, 3] uint8 RGB."""
    affines: np.ndarray
    """[P, 2, 3] from image to crop pixels, without rotation."""
    keypoints_xy: np.ndarray | None
    """[P, K, 2] crop pixels: annotated keypoints; None without annotations."""
    visibility: np.ndarray | None
    """[P, K]: 0 not labelled, 1 occluded, 2 visible."""


@dataclass(frozen=True)
class PageModel:
    """Keypoints and attention of the P persons by one model."""

    name: str
    title: str
    weights_sha256: str
    encoder: Encoder
    grid: Grid
    points_xy: np.ndarray
    """[P, K, 2] crop pixels."""
    scores: np.ndarray
    """[P, K]."""
    storage: Storage
    areas: list[PackedAreas]
    """One per person."""
    strong: float
    """Upper end of the colour scale: a high percentile of the keypoints' areas, in multiples of uniform attention."""
    largest: float
    """The largest of all areas, in multiples of uniform attention."""


@dataclass(frozen=True)
class ViewerPage:
    """Content of a page; every model has crops of its input size."""

    title: str
    about: str
    """One sentence on the source of boxes and keypoints."""
    skeleton: Skeleton
    persons: list[PagePerson]
    crops: dict[tuple[int, int], PageCrops]
    """By (height, width) of the input."""
    models: list[PageModel]


def write_page(page: ViewerPage, path: Path) -> None:
    """Write a page as one HTML file, atomically. It loads nothing, and its content security policy forbids loading.

    Names come from data: they are stored as JSON with escaped angle brackets, and the script shows them as plain text.
    """
    environment = page_environment()
    script = template_source(environment, "reporting/templates/drawing.js", "reporting/templates/viewer.js")
    style = shared_style() + template_source(environment, "reporting/templates/viewer.css")
    html = environment.get_template("reporting/templates/viewer.html").render(
        title=page.title,
        about=page.about,
        script=script,
        style=style,
        script_digest=policy_digest(script),
        style_digest=policy_digest(style),
        data=json_in_html(page_data(page)),
        areas=dict(_packed_texts(page)),
        notes=list(_notes(page)),
    )
    write_text(path, html)


def page_data(page: ViewerPage) -> dict[str, Any]:
    """Return the values that the page's script reads, without the areas."""
    sizes = list(page.crops)
    return {
        "keypoints": [name.replace("_", " ") for name in page.skeleton.keypoints],
        "limbs": page.skeleton.limb_indices.tolist(),
        "persons": [
            {
                "image": person.image,
                "annotation": person.annotation_id,
                "box": [round(value, 1) for value in person.box_xywh],
            }
            for person in page.persons
        ],
        "frames": [_frame(size, page.crops[size]) for size in sizes],
        "models": [_model(model, sizes.index(model.grid.input_size)) for model in page.models],
        "colours": page_colours(),
        # From the lowest floor to a power of two.
        "range": [
            min(_floors(page)),
            2.0 ** np.ceil(np.log2(max(2.0, *(model.strong for model in page.models)))),
        ],
        "largest": max(model.largest for model in page.models),
    }


def _frame(size: tuple[int, int], crops: PageCrops) -> dict[str, Any]:
    keypoints, visibility = crops.keypoints_xy, crops.visibility
    return {
        "size": size,
        "crops": [data_url(as_jpeg(crop, _JPEG_QUALITY)) for crop in crops.crops],
        "affines": [
            {"scale": affine[0, 0], "x": affine[0, 2], "y": affine[1, 2]} for affine in crops.affines.astype(float)
        ],
        "truth": None
        if keypoints is None or visibility is None
        # Unlabelled keypoints may be NaN, which JSON does not have.
        else np.concatenate((np.nan_to_num(keypoints).round(2), visibility[..., None]), axis=-1).tolist(),
    }


def _model(model: PageModel, frame: int) -> dict[str, Any]:
    grid, storage, heads = model.grid, model.storage, model.encoder.heads
    several = heads > 1
    return {
        "name": model.name,
        "title": model.title,
        "frame": frame,
        "layers": model.encoder.layers,
        "heads": heads,
        "position": model.encoder.position_embedding,
        "grid": {"size": grid.size, "first": grid.centres()[0].tolist(), "side": grid.cell_side},
        "pool": storage.pool,
        "cellSets": 1 + heads if several and storage.cell_heads else 1,
        "keypointSets": 1 + heads if several and storage.keypoint_heads else 1,
        "cellScale": _scale(storage.cells),
        "keypointScale": _scale(storage.keypoints),
        "points": model.points_xy.round(2).tolist(),
        "scores": np.asarray(model.scores, dtype=float).round(3).tolist(),
        "queries": grid.tokens_at(model.points_xy).tolist(),
    }


def _scale(scale: LogScale) -> dict[str, float]:
    return {"floor": scale.floor, "steps": scale.steps}


def _packed_texts(page: ViewerPage) -> Iterator[tuple[str, str]]:
    """Yield (element id, Base64 text) for each kind of area, model and person."""
    for index, model in enumerate(page.models):
        for person, areas in enumerate(model.areas):
            for kind in ("cells", "rows", "columns"):
                yield f"{kind}-{index}-{person}", base64.b64encode(getattr(areas, kind)).decode()


def _notes(page: ViewerPage) -> Iterator[tuple[str, str]]:
    """Yield (model, stored attention and its precision)."""
    for model in page.models:
        yield f"{model.title} ({model.name}, weights {model.weights_sha256[:12]})", _note(model)


def _note(model: PageModel) -> str:
    storage, grid = model.storage, model.grid
    cells = "every cell" if storage.pool == 1 else f"every block of {storage.pool} × {storage.pool} cells"
    heads = "one head"
    if model.encoder.heads > 1:
        heads = "every head" if storage.cell_heads else "the mean over heads"
    singles = ""
    if model.encoder.heads > 1 and not storage.cell_heads:
        kept = "for the keypoints’ cells only" if storage.keypoint_heads else "not stored"
        singles = f"; single heads {kept}"
    return (
        f"grid of {grid.size[0]} × {grid.size[1]} cells, uniform attention 1/{grid.tokens}. Stored: {cells}, {heads},"
        f" {_scale_words(storage.cells)}; the keypoints’ own cells on the full grid,"
        f" {_scale_words(storage.keypoints)}{singles}."
    )


def _scale_words(scale: LogScale) -> str:
    return f"error at most {100 * scale.largest_error:.1f} % above {scale.floor:g}×"


def _floors(page: ViewerPage) -> list[float]:
    return [scale.floor for model in page.models for scale in (model.storage.cells, model.storage.keypoints)]
