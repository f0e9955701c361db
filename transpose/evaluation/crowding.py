"""AP of images with few, some and many overlapping persons, as in CrowdPose's evaluation."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import NonNegativeInt

from transpose.config.base import Settings
from transpose.data.fields import as_numbers, column
from transpose.evaluation.matches import MatchTable

CROWDING = {"easy": (-np.inf, 0.2), "medium": (0.2, 0.8), "hard": (0.8, np.inf)}
"""Crowd index from and below which an image belongs to a subset.

These are the limits in CrowdPose's evaluator (`get_type_result(first=0.2, second=0.8)` in crowdposetools and
xtcocotools), so that AP can be compared with published figures. The paper (arXiv 1812.00324) has 0.1 in place of 0.2.
"""


class SubsetAP(Settings):
    """AP on a subset of the images."""

    images: NonNegativeInt
    ap: float
    """Fraction; -1 without persons."""


def crowding_aps(path: Path, images: Sequence[Mapping[str, Any]], table: MatchTable) -> dict[str, SubsetAP] | None:
    """Compute the AP of each subset of `CROWDING`; None if no image has a crowd index.

    Args:
        path: annotation file, for messages.
        images: records with `id` and perhaps `crowdIndex`; images without one are in no subset.

    Raises:
        InputError: a crowd index is not a number.
    """
    crowded = [dict(image) for image in images if "crowdIndex" in image]
    if not crowded:
        return None
    indices = column(path, crowded, "crowdIndex", as_numbers, lambda position: f"image {crowded[position]['id']}")
    ids = np.array([image["id"] for image in crowded], dtype=np.int64)
    subsets = [ids[(least <= indices) & (indices < below)] for least, below in CROWDING.values()]
    weights = np.stack([np.isin(table.image_ids, subset) for subset in subsets]).astype(np.int64)
    aps = table.accuracy(weights).tolist()
    return {name: SubsetAP(images=len(subset), ap=ap) for name, subset, ap in zip(CROWDING, subsets, aps, strict=True)}
