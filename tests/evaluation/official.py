"""Run pycocotools on our arrays and return its full results."""

from typing import Any

import numpy as np
import pycocotools.coco as pycoco
import pycocotools.cocoeval as pycocoeval

from transpose.data.coco import CocoAnnotations
from transpose.evaluation.reference_evaluators import evaluated_by, with_sigmas
from transpose.inference.poses import PoseResults
from transpose.skeleton import Skeleton


def official_evaluator(annotations: CocoAnnotations, results: PoseResults, skeleton: Skeleton) -> Any:
    """Return the evaluator after evaluation, with `eval["precision"]` [T, R, 1, areas, 1] etc. set."""
    return evaluated_by(pycoco.COCO, with_sigmas(pycocoeval.COCOeval, skeleton), annotations, results)


def official_matches(evaluator: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return matched and ignored, [D, T] bool each, for persons of all sizes, image by image."""
    images = [image for image in evaluator.evalImgs[: len(evaluator.params.imgIds)] if image is not None]
    nothing = np.zeros((len(evaluator.params.iouThrs), 0))
    matched = np.concatenate([nothing, *(image["dtMatches"] for image in images)], axis=1).T > 0
    return matched, np.concatenate([nothing, *(image["dtIgnore"] for image in images)], axis=1).T > 0
