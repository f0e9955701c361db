"""Person masks on the attention grid: share of each cell on the person, on other people and on background."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from transpose.attention.maps.grid import Grid
from transpose.attention.persons import GroundTruth
from transpose.data.coco import CocoAnnotations
from transpose.errors import InputError
from transpose.files import read_json

OWN, OTHER, BACKGROUND = range(3)
"""The person's own body, other people (including crowds), and everything else (including pixels outside the image)."""


class Regions:
    """The masks of an annotation file."""

    def __init__(self, annotations: CocoAnnotations) -> None:
        """Read the file's segmentations.

        Raises:
            InputError: the file is missing or broken.
        """
        self._source = annotations.source
        self._images = annotations.images
        self._of_image: dict[int, list[Mapping[str, Any]]] = {}
        for record in read_json(annotations.source)["annotations"]:
            self._of_image.setdefault(int(record["image_id"]), []).append(record)

    def shares(self, truth: GroundTruth, grid: Grid) -> np.ndarray:
        """Return [P, 3, L] float64: shares of each cell that are `OWN`, `OTHER` and `BACKGROUND`; they sum to 1.

        Pixels covered by the person count as its own even if others cover them too. NaN for a person without a mask;
        other people without a mask count as background.

        Raises:
            InputError: a segmentation is neither a COCO polygon nor a run-length code; names file and annotation.
        """
        cells = grid.tokens_of_pixels().ravel()
        pixels = np.bincount(cells, minlength=grid.tokens)
        shares = np.full((len(truth), 3, grid.tokens), np.nan)
        for person in range(len(truth)):
            labels = self._labels(truth, person, grid)
            if labels is not None:
                shares[person] = [np.bincount(cells, labels.ravel() == one, grid.tokens) / pixels for one in range(3)]
        return shares

    def _labels(self, truth: GroundTruth, person: int, grid: Grid) -> np.ndarray | None:
        """Return the region of each crop pixel, [H, W] uint8; None for a person without a mask."""
        image_id, own_id = int(truth.image_ids[person]), int(truth.annotation_ids[person])
        height, width = self._images.sizes_hw[self._images.find(np.array([image_id]))[0]].tolist()
        labels = np.full((height, width), BACKGROUND, dtype=np.uint8)
        own = None
        for record in self._of_image.get(image_id, []):
            mask = self._mask(record, height, width)
            if record["id"] == own_id:
                own = mask
            elif mask is not None:
                labels[mask] = OTHER
        if own is None:
            return None
        labels[own] = OWN
        affine, size = truth.affines[person], (grid.input_size[1], grid.input_size[0])
        return cv2.warpAffine(labels, affine, size, flags=cv2.INTER_NEAREST, borderValue=BACKGROUND)

    def _mask(self, record: Mapping[str, Any], height: int, width: int) -> np.ndarray | None:
        segmentation = record.get("segmentation")
        if not segmentation:
            return None
        try:
            if isinstance(segmentation, list):
                code = coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))
            elif isinstance(segmentation["counts"], list):
                code = coco_mask.frPyObjects(segmentation, height, width)
            else:
                code = segmentation
            mask = coco_mask.decode(code).astype(bool)
        # pycocotools raises bare exceptions.
        except Exception as error:
            raise self._broken(record, f"neither polygons nor a run-length code: {error}") from None
        if mask.shape != (height, width):
            raise self._broken(record, f"mask is {mask.shape[0]}x{mask.shape[1]}, but the image is {height}x{width}")
        return mask

    def _broken(self, record: Mapping[str, Any], problem: str) -> InputError:
        return InputError(problem, file=self._source, record=f"annotation {record.get('id')}", field="segmentation")
