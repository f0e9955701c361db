"""Run pycocotools on our arrays and return its full results."""

from typing import Any

import numpy as np
import pycocotools.coco as pycoco
import pycocotools.cocoeval as pycocoeval

from transpose.data.coco import CocoAnnotations
from transpose.evaluation.reference_evaluators import evaluated_by
from transpose.inference.poses import PoseResults


def official_evaluator(annotations: CocoAnnotations, results: PoseResults, sigmas: np.ndarray) -> Any:
    """Return the evaluator after evaluation, with `eval["precision"]` [T, R, 1, areas, 1] etc. set."""

    def make(truth: Any, predictions: Any) -> Any:
        evaluator = pycocoeval.COCOeval(truth, predictions, "keypoints")
        evaluator.params.kpt_oks_sigmas = sigmas
        return evaluator

    return evaluated_by(pycoco.COCO, make, annotations, results)


def official_matches(evaluator: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return matched and ignored, [D, T] bool each, for persons of all sizes, image by image."""
    images = [image for image in evaluator.evalImgs[: len(evaluator.params.imgIds)] if image is not None]
    nothing = np.zeros((len(evaluator.params.iouThrs), 0))
    matched = np.concatenate([nothing, *(image["dtMatches"] for image in images)], axis=1).T > 0
    return matched, np.concatenate([nothing, *(image["dtIgnore"] for image in images)], axis=1).T > 0
