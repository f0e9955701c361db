"""Extended OKS: similarity that also counts whether a keypoint is in the person's window at all.

Defined by Purkrabek and Matas (ProbPose, CVPR 2025); written from the definition in the description of their package
exococotools 1.0.0. OKS asks nothing of keypoints outside of the image, so a model may invent them. Here each known
keypoint is in or out of the activation window, its box with a margin, and a predicted keypoint is in if its score is at
least a threshold. The distance in the term of OKS is

- both in: that of the two points, as in OKS;
- annotated out, predicted in: that of the prediction from the window;
- annotated in, predicted out: that of the annotation from the window;
- both out: 0.

As in exococotools, the distance from the window is that from its nearest corner.
"""

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import NonNegativeInt

from transpose.config.base import Settings
from transpose.config.bootstrap import Bootstrap
from transpose.data.coco import CocoAnnotations, PersonInstances
from transpose.data.fields import as_vectors
from transpose.errors import InputError
from transpose.evaluation.bootstrap import resample
from transpose.evaluation.intervals import Estimate, estimate_of
from transpose.evaluation.matching import Pairs, match_table, pair_up, require_known_images, squared_errors
from transpose.files import read_json
from transpose.geometry import extend_to_aspect
from transpose.inference.poses import PoseResults
from transpose.skeleton import Skeleton

PRESENT = 0.5
"""Keypoint score from which a predicted keypoint is in the window; the default of exococotools."""

_PADDING = 1.25
_ASPECT_HW = (4, 3)
_OUTSIDE = 3
"""Value of `occlusion` in annotations of rendered people for a keypoint outside of the image."""
_FIELDS = ("true_keypoints", "occlusion")


class ExtendedAP(Settings):
    """AP by extended OKS."""

    ap: Estimate
    """`count` is the number of persons."""
    keypoints_out: NonNegativeInt
    """Known keypoints of evaluated persons that are outside of the window."""
    threshold: float = PRESENT


def extended_ap(
    annotations: CocoAnnotations, results: PoseResults, skeleton: Skeleton, bootstrap: Bootstrap
) -> ExtendedAP | None:
    """Compute AP by extended OKS; None if the annotation file has no keypoints outside of images.

    Evaluated persons are those of AP: with a labelled keypoint, and no crowd.

    Raises:
        InputError: the positions of keypoints are malformed, or a result is in an image without annotations.
    """
    persons = annotations.persons
    known = known_keypoints(annotations.source, persons)
    if known is None:
        return None
    require_known_images(annotations, results)
    pairs = pair_up(annotations.images.ids, persons, results)
    is_in = inside(windows(persons)[:, None], known[..., :2])
    similarity = extended_similarities(pairs, persons, known, is_in, results.keypoints, skeleton.oks_sigmas)
    ignored = persons.is_crowd | ~persons.is_labelled
    table = match_table(pairs, persons, results.scores, similarity, ignored)
    ap = resample(table, bootstrap.samples, bootstrap.seed)
    out = (known[..., 2] > 0) & ~is_in
    return ExtendedAP(ap=estimate_of(ap, int(table.persons.sum()), bootstrap.level), keypoints_out=int(out.sum()))


def known_keypoints(path: Path, persons: PersonInstances) -> np.ndarray | None:
    """Return x, y and 1 or 0 (known or not) [G, K, 3] of the labelled keypoints and of those outside of the image.

    The latter are in the fields `true_keypoints` and `occlusion` of rendered people. Crowds and persons without a
    labelled keypoint have none.

    Returns:
        None if the file does not have these fields.

    Raises:
        InputError: a field is malformed.
    """
    if f'"{_FIELDS[0]}"'.encode() not in path.read_bytes():
        return None
    known = np.concatenate((persons.keypoints[..., :2], persons.keypoints[..., 2:] > 0), axis=2)
    records: dict[Any, dict[str, Any]] = {record.get("id"): record for record in read_json(path)["annotations"]}
    count = known.shape[1]
    for row, annotation_id in enumerate(persons.annotation_ids.tolist()):
        record = records.get(annotation_id, {})
        if not all(field in record for field in _FIELDS):
            continue
        try:
            points = as_vectors([record[_FIELDS[0]]], 2 * count).reshape(count, 2)
            is_out = as_vectors([record[_FIELDS[1]]], count)[0] == _OUTSIDE
        except ValueError as error:
            raise InputError(str(error), file=path, record=f"annotation {annotation_id}", field=_FIELDS[0]) from None
        known[row, is_out] = np.concatenate((points[is_out], np.ones((is_out.sum(), 1))), axis=1)
    known[persons.is_crowd | ~persons.is_labelled, :, 2] = 0
    return known


def windows(persons: PersonInstances) -> np.ndarray:
    """Return the activation windows (x0, y0, x1, y1) [G, 4]: boxes at an aspect ratio of 3:4, enlarged by a quarter."""
    boxes = persons.boxes_xywh
    centres, halves = boxes[:, :2] + boxes[:, 2:] / 2, extend_to_aspect(boxes[:, 2:], _ASPECT_HW) * _PADDING / 2
    return np.concatenate((centres - halves, centres + halves), axis=1)


def inside(window: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return which points [..., 2] are in their window [..., 4]."""
    return np.asarray(((points >= window[..., :2]) & (points <= window[..., 2:])).all(axis=-1))


def extended_similarities(
    pairs: Pairs,
    persons: PersonInstances,
    known: np.ndarray,
    is_in: np.ndarray,
    keypoints: np.ndarray,
    sigmas: np.ndarray,
) -> np.ndarray:
    """Compute the extended OKS [P] of each pair.

    With persons without known keypoints, which are not evaluated, it is that of all predicted keypoints with the
    window, 1 inside of it.

    Args:
        known: [G, K, 3]; see `known_keypoints`.
        is_in: [G, K] bool: the keypoint is in the window.
        keypoints: [N, K, 3] of all predictions.
        sigmas: [K].
    """
    window = windows(persons)[pairs.person][:, None]
    predicted = keypoints[pairs.detections[pairs.detection]]
    truth, points = known[pairs.person][..., :2], predicted[..., :2]
    annotated_in, predicted_in = is_in[pairs.person], predicted[..., 2] >= PRESENT
    from_window = np.where(predicted_in[..., None], _from_corner(window, points), _from_corner(window, truth))
    offsets = np.where((annotated_in & predicted_in)[..., None], points - truth, from_window)
    offsets[~annotated_in & ~predicted_in] = 0
    counted = known[pairs.person][..., 2] > 0
    is_counted = counted.any(axis=1)
    offsets[~is_counted] = _beyond(window, points)[~is_counted]
    terms = np.exp(-squared_errors(np.moveaxis(offsets, -1, 0), persons.areas[pairs.person], sigmas) / 2)
    counted[~is_counted] = True
    return np.where(counted, terms, 0).sum(axis=1) / counted.sum(axis=1)


def _from_corner(window: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the offsets [..., 2] of points from the nearest corner of their window."""
    return np.minimum(points - window[..., :2], window[..., 2:] - points)


def _beyond(window: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return how far points [..., 2] are beyond the sides of their window, 0 inside."""
    return np.maximum(window[..., :2] - points, 0) + np.maximum(points - window[..., 2:], 0)
