"""Decoding, suppression and evaluation: those of this package and plain implementations with the same results."""

import contextlib
import io
from pathlib import Path

import cv2
import numpy as np
import pycocotools.coco as pycoco
import pycocotools.cocoeval as pycocoeval

from benchmarks.random_data import RandomAnnotations
from transpose.codec.decode import dark_decode
from transpose.data.coco import load_annotations
from transpose.evaluation.oks import STATISTICS, evaluate_keypoints
from transpose.evaluation.results import read_results
from transpose.inference.nms import oks_nms, rescore
from transpose.skeleton import COCO_PERSON

KERNEL = 11
"""Blur of DARK decoding in heatmap pixels."""
KEYPOINT_THRESHOLD, OKS_THRESHOLD = 0.2, 0.9


def decode_all_at_once(heatmaps: np.ndarray) -> np.ndarray:
    """Return the points [N, K, 2] of DARK decoding of heatmaps [N, K, h, w] float32."""
    return dark_decode(heatmaps, KERNEL)[0]


def decode_keypoint_by_keypoint(heatmaps: np.ndarray) -> np.ndarray:
    """Return the same points by a naive loop: blur and refine each map.

    Args:
        heatmaps: [N, K, h, w] float32.
    """
    return np.array([[_decode_map(heatmap) for heatmap in maps] for maps in heatmaps])


def _decode_map(heatmap: np.ndarray) -> np.ndarray:
    """Return (x, y) of one map [h, w]."""
    height, width = heatmap.shape
    highest = heatmap.max()
    if highest <= 0:
        return np.zeros(2)
    y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
    place = np.array([x, y], dtype=np.float64)
    if not (1 < x < width - 2 and 1 < y < height - 2):
        return place
    smooth = cv2.GaussianBlur(heatmap, (KERNEL, KERNEL), 0, borderType=cv2.BORDER_CONSTANT)
    log = np.log(np.maximum(smooth * (highest / smooth.max()), 1e-10))
    dx = 0.5 * (log[y, x + 1] - log[y, x - 1])
    dy = 0.5 * (log[y + 1, x] - log[y - 1, x])
    dxx = 0.25 * (log[y, x + 2] - 2 * log[y, x] + log[y, x - 2])
    dyy = 0.25 * (log[y + 2, x] - 2 * log[y, x] + log[y - 2, x])
    dxy = 0.25 * (log[y + 1, x + 1] - log[y - 1, x + 1] - log[y + 1, x - 1] + log[y - 1, x - 1])
    hessian = np.array([[dxx, dxy], [dxy, dyy]], dtype=np.float64)
    if dxx * dyy - dxy**2 == 0:
        return place
    return place - np.linalg.inv(hessian) @ np.array([dx, dy], dtype=np.float64)


def suppress_all_at_once(people: RandomAnnotations) -> np.ndarray:
    """Return the indices [kept] of detections that `oks_nms` keeps, by image and falling score."""
    found = people.detections
    scores = rescore(found.scores, found.keypoints[:, :, 2], KEYPOINT_THRESHOLD)
    return oks_nms(found.keypoints, scores, people.areas, found.image_ids, COCO_PERSON.oks_sigmas, OKS_THRESHOLD)


def suppress_person_by_person(people: RandomAnnotations) -> np.ndarray:
    """Return the same indices by naive loops over keypoints, images and persons."""
    found, of_image = people.detections, {}
    scores = np.array([_score(*person) for person in zip(found.scores, found.keypoints, strict=True)])
    for position, image_id in enumerate(found.image_ids.tolist()):
        of_image.setdefault(image_id, []).append(position)
    kept = []
    for image_id in sorted(of_image):
        members = np.array(of_image[image_id])
        left = members[np.argsort(scores[members], kind="stable")[::-1]]
        while len(left):
            best, left = left[0], left[1:]
            kept.append(best)
            similar = np.array([_oks(people, best, other) for other in left])
            left = left[similar <= OKS_THRESHOLD]
    return np.array(kept)


def _score(box_score: float, keypoints: np.ndarray) -> float:
    total, counted = 0.0, 0
    for score in keypoints[:, 2]:
        if score > KEYPOINT_THRESHOLD:
            total, counted = total + score, counted + 1
    return box_score * (total / counted if counted else 0)


def _oks(people: RandomAnnotations, first: int, second: int) -> float:
    """OKS of two detections over all keypoints."""
    points, areas = people.detections.keypoints, people.areas
    dx = points[first, :, 0] - points[second, :, 0]
    dy = points[first, :, 1] - points[second, :, 1]
    area = (areas[first] + areas[second]) / 2 + np.spacing(1)
    return np.exp(-(dx**2 + dy**2) / (2 * COCO_PERSON.oks_sigmas) ** 2 / area / 2).mean()


def evaluate_by_pycocotools(annotations: Path, results: Path) -> dict[str, float]:
    """Return `STATISTICS` by the usual calls of pycocotools."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = pycoco.COCO(str(annotations))
        evaluator = pycocoeval.COCOeval(truth, truth.loadRes(str(results)), "keypoints")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return dict(zip(STATISTICS, map(float, evaluator.stats), strict=True))


def evaluate_by_package(annotations: Path, results: Path) -> dict[str, float]:
    """Return `STATISTICS` of the same files by this project's evaluator, which also validates every field."""
    return evaluate_keypoints(
        load_annotations(annotations, COCO_PERSON), read_results(results, COCO_PERSON), COCO_PERSON
    ).statistics
