"""A contact sheet: annotated persons of a split, drawn to be looked at."""

from pathlib import Path

import cv2
import numpy as np

from transpose.data.images import ImageFiles
from transpose.data.import_split import ImportedSplit
from transpose.geometry import box_to_center_scale, crop_affines, transform_points
from transpose.inference.overlay import draw_persons, write_image
from transpose.skeleton import Skeleton

_TILE_HW = (240, 180)
_COLUMNS = 6
_MORE = 1.2
"""Side of a tile relative to that of a crop."""
_TEXT_HEIGHT = 14
_BOX = (120, 200, 90)


def draw_contact_sheet(split: ImportedSplit, skeleton: Skeleton, path: Path, persons: int = 24) -> None:
    """Draw labelled persons, evenly spread over the split, with their boxes and annotation ids; writes a PNG.

    Raises:
        InputError: an image cannot be read, or the file cannot be written.
    """
    labelled = np.flatnonzero(split.annotations.persons.is_labelled)
    chosen = labelled[np.unique(np.linspace(0, len(labelled) - 1, persons).round().astype(int))]
    files = ImageFiles(split.image_source, split.annotations.images)
    tiles = [_draw_tile(split, files, skeleton, position) for position in chosen.tolist()]
    blank = np.full_like(tiles[0], 255)
    tiles += [blank] * (-len(tiles) % min(_COLUMNS, len(tiles)))
    columns = min(_COLUMNS, len(tiles))
    rows = [np.concatenate(tiles[start : start + columns], axis=1) for start in range(0, len(tiles), columns)]
    write_image(np.concatenate(rows), path)


def _draw_tile(split: ImportedSplit, files: ImageFiles, skeleton: Skeleton, position: int) -> np.ndarray:
    """Return the tile [H, W, 3] uint8 of one person: the crop of a network with more of its surroundings."""
    persons = split.annotations.persons
    image = files.read(split.annotations.image_index(int(persons.image_ids[position])))
    box = persons.boxes_xywh[position : position + 1]
    center, scale = box_to_center_scale(box, _TILE_HW)
    affine = crop_affines(center, scale * _MORE, np.zeros(1), _TILE_HW)
    tile = cv2.warpAffine(image, affine[0], _TILE_HW[::-1], flags=cv2.INTER_AREA, borderValue=(128, 128, 128))
    corners = transform_points(affine[:, None], np.stack([box[:, :2], box[:, :2] + box[:, 2:]], axis=1))[0]
    start, end = (tuple(np.rint(corner).astype(int).tolist()) for corner in corners)
    cv2.rectangle(tile, start, end, _BOX, 1)
    points = persons.keypoints[position : position + 1]
    xy = transform_points(affine[:, None], points[:, :, :2])
    tile = draw_persons(tile, xy, points[:, :, 2] > 0, np.array([[0, 0, *_TILE_HW]]), skeleton)
    caption = np.full((_TEXT_HEIGHT, tile.shape[1], 3), 255, dtype=np.uint8)
    text = f"annotation {persons.annotation_ids[position]}"
    cv2.putText(caption, text, (4, _TEXT_HEIGHT - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([caption, tile])
