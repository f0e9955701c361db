"""Keypoint metrics by the COCO evaluators of other packages, to check ours."""

import contextlib
import importlib
import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pycocotools.coco as pycoco
import pycocotools.cocoeval as pycocoeval

from transpose.data.coco import CocoAnnotations
from transpose.evaluation.matches import STATISTICS
from transpose.evaluation.matching import require_known_images
from transpose.inference.poses import PoseResults
from transpose.skeleton import Skeleton


def reference_metrics(
    annotations: CocoAnnotations, results: PoseResults, skeleton: Skeleton
) -> dict[str, dict[str, float]]:
    """Return `STATISTICS` by each installed evaluator: pycocotools, and optionally xtcocotools and hotcoco.

    Raises:
        InputError: a result is in an image that the annotations do not contain.
    """
    metrics = {
        "pycocotools": pycocotools_metrics(annotations, results, skeleton),
        "xtcocotools": xtcocotools_metrics(annotations, results, skeleton),
        "hotcoco": hotcoco_metrics(annotations, results, skeleton),
    }
    return {name: statistics for name, statistics in metrics.items() if statistics is not None}


def pycocotools_metrics(annotations: CocoAnnotations, results: PoseResults, skeleton: Skeleton) -> dict[str, float]:
    """Return `STATISTICS` computed by pycocotools, which is slower than ours.

    Raises:
        InputError: as `reference_metrics`.
    """
    return _named(evaluated_by(pycoco.COCO, with_sigmas(pycocoeval.COCOeval, skeleton), annotations, results))


def xtcocotools_metrics(
    annotations: CocoAnnotations, results: PoseResults, skeleton: Skeleton
) -> dict[str, float] | None:
    """Return `STATISTICS` computed by xtcocotools, or None if it is not installed.

    It leaves out the predictions of `left_out_by_xtcocotools`. Its mask functions fail with NumPy 2, but the keypoint
    evaluation does not call them. The index of annotations is that of pycocotools, whose module does not import pyplot.

    Raises:
        InputError: as `reference_metrics`.
    """
    cocoeval = _module("xtcocotools.cocoeval")
    if cocoeval is None:
        return None

    def evaluator(truth: object, predictions: object) -> object:
        return cocoeval.COCOeval(truth, predictions, "keypoints", sigmas=skeleton.oks_sigmas)

    return _named(evaluated_by(_IndexForXtcocotools, evaluator, annotations, results))


class _IndexForXtcocotools(pycoco.COCO):
    """The same index with the name of the annotation file, which is `[None]` without a file."""

    anno_file = (None,)


def left_out_by_xtcocotools(results: PoseResults) -> np.ndarray:
    """Return [N] bool: predictions without a keypoint score above 0, which only xtcocotools leaves out."""
    return np.count_nonzero(results.keypoints[:, :, 2] > 0, axis=1) == 0


def hotcoco_metrics(annotations: CocoAnnotations, results: PoseResults, skeleton: Skeleton) -> dict[str, float] | None:
    """Return `STATISTICS` computed by hotcoco, a port of pycocotools to Rust, or None if it is not installed.

    Raises:
        InputError: as `reference_metrics`.
    """
    hotcoco = _module("hotcoco")
    if hotcoco is None:
        return None
    with warnings.catch_warnings():
        # It warns of sigmas other than COCO's.
        warnings.simplefilter("ignore", UserWarning)
        return _named(evaluated_by(hotcoco.COCO, with_sigmas(hotcoco.COCOeval, skeleton), annotations, results))


def with_sigmas(cocoeval: Callable[..., Any], skeleton: Skeleton) -> Callable[[Any, Any], Any]:
    """Return a function that creates a keypoint evaluator with the skeleton's sigmas."""

    def evaluator(truth: Any, predictions: Any) -> Any:
        created = cocoeval(truth, predictions, "keypoints")
        created.params.kpt_oks_sigmas = skeleton.oks_sigmas
        return created

    return evaluator


def evaluated_by(
    make_coco: Callable[[], Any],
    make_evaluator: Callable[[Any, Any], Any],
    annotations: CocoAnnotations,
    results: PoseResults,
) -> Any:
    """Run an evaluator and return it, with `stats`, `eval` and `evalImgs` set.

    Args:
        make_coco: creates an empty `COCO` of the evaluator's package.
        make_evaluator: creates the evaluator from ground truth and predictions, each a `COCO`.

    Raises:
        InputError: as `reference_metrics`.
    """
    require_known_images(annotations, results)
    truth = annotations.numbered().to_coco()
    # The area of a prediction is the bounding box of its keypoints, as in the evaluators' own reader, which refuses an
    # empty list.
    areas = np.ptp(results.keypoints[:, :, :2], axis=1).prod(axis=1).tolist()
    records = zip(results.to_coco(), areas, strict=True)
    predictions = truth | {
        "annotations": [record | {"id": number, "area": area} for number, (record, area) in enumerate(records, start=1)]
    }
    # The evaluators print to stdout.
    with contextlib.redirect_stdout(io.StringIO()):
        evaluator = make_evaluator(_indexed(make_coco(), truth), _indexed(make_coco(), predictions))
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return evaluator


def _indexed(coco: Any, dataset: dict[str, Any]) -> Any:
    coco.dataset = dataset
    coco.createIndex()
    return coco


def _named(evaluator: Any) -> dict[str, float]:
    return dict(zip(STATISTICS, map(float, evaluator.stats), strict=True))


def _module(name: str) -> Any:
    """Return an optional module; None if it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
