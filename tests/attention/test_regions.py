"""Shares of cells on a person, on other people and on background."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from tests.attention.planted import GRID, planted_truth
from transpose.attention.regions import BACKGROUND, OTHER, OWN, Regions
from transpose.data.coco import CocoAnnotations, ImageTable
from transpose.errors import InputError
from transpose.files import write_json

IMAGE = ImageTable(np.array([0]), ["a.jpg"], np.array([[32, 24]], dtype=np.int32))
LEFT_HALF = [[0, 0, 12, 0, 12, 32, 0, 32]]


def rle(mask: np.ndarray) -> dict[str, Any]:
    code = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(mask.shape), "counts": code["counts"].decode()}  # pyright: ignore[reportAttributeAccessIssue]


def rows_from(first: int) -> np.ndarray:
    mask = np.zeros((32, 24), dtype=bool)
    mask[first:] = True
    return mask


def shares(folder: Path, *segmentations: object) -> np.ndarray:
    """Of the person whose segmentation comes first."""
    records = [{"id": 10 + index, "image_id": 0, "segmentation": one} for index, one in enumerate(segmentations)]
    write_json(folder / "annotations.json", {"annotations": records})
    annotations = CocoAnnotations(folder / "annotations.json", IMAGE, persons=None)  # pyright: ignore[reportArgumentType]
    return Regions(annotations).shares(planted_truth(), GRID)[0]


def test_polygons_and_run_lengths_of_both_kinds_say_the_same(tmp_path: Path):
    left = np.zeros((32, 24), dtype=bool)
    left[:, :12] = True
    uncompressed = {"size": [32, 24], "counts": [0, 12 * 32, 12 * 32]}
    expected = np.tile(np.arange(6) < 3, 8)
    for segmentation in (LEFT_HALF, rle(left), uncompressed):
        found = shares(tmp_path, segmentation)
        np.testing.assert_allclose(found[OWN], expected, atol=0.05)
        np.testing.assert_allclose(found[BACKGROUND], 1 - found[OWN])
        np.testing.assert_allclose(found.sum(axis=0), 1)


def test_a_pixel_that_the_person_covers_is_its_own_and_others_take_the_rest(tmp_path: Path):
    found = shares(tmp_path, rle(rows_from(16)), rle(rows_from(8)), [])
    grid = found.reshape(3, 8, 6)
    assert (grid[OWN, 4:] == 1).all()
    assert (grid[OTHER, 3] == 1).all()
    assert (grid[BACKGROUND, :2] == 1).all()


def test_cells_at_the_border_of_a_mask_are_shared(tmp_path: Path):
    found = shares(tmp_path, rle(rows_from(18))).reshape(3, 8, 6)
    rows = GRID.tokens_at(np.stack((np.zeros(32), np.arange(32)), axis=-1)) // 6
    expected = (np.arange(32) >= 18)[rows == 4].mean()
    assert 0 < expected < 1
    np.testing.assert_allclose(found[OWN, 4], expected)
    np.testing.assert_allclose(found[BACKGROUND, 4], 1 - expected)


def test_what_lies_outside_of_the_image_is_background(tmp_path: Path):
    write_json(tmp_path / "annotations.json", {"annotations": [{"id": 10, "image_id": 0, "segmentation": LEFT_HALF}]})
    annotations = CocoAnnotations(tmp_path / "annotations.json", IMAGE, persons=None)  # pyright: ignore[reportArgumentType]
    moved = replace(planted_truth(), affines=np.array([[[1.0, 0, 12], [0, 1.0, 0]]]))
    found = Regions(annotations).shares(moved, GRID)[0].reshape(3, 8, 6)
    assert (found[BACKGROUND, :, :3] == 1).all()
    assert found[OWN, :, 3:].mean() > 0.95


def test_a_person_without_a_mask_has_no_shares(tmp_path: Path):
    assert np.isnan(shares(tmp_path, None, LEFT_HALF)).all()


@pytest.mark.parametrize(
    "broken",
    ["polygon", [["a", 1, 2, 3, 4, 5]], [[1, 2]], {"counts": "a"}, {"size": [32, 24]}, rle(np.ones((8, 8)))],
)
def test_a_broken_mask_is_one_line_that_names_it(tmp_path: Path, broken: object):
    with pytest.raises(InputError, match=r"annotations.json: annotation 11: segmentation: "):
        shares(tmp_path, LEFT_HALF, broken)
