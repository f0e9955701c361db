"""The COCO keypoint evaluation (OKS), judged by pycocotools and checked by xtcocotools."""

import contextlib
import importlib
import io
from dataclasses import asdict, dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pycocotools.coco as pycoco
import pycocotools.cocoeval as pycocoeval

from transpose.data.coco import PERSON_CATEGORY, CocoAnnotations
from transpose.errors import InputError
from transpose.evaluation.joints import JointMetrics, joint_metrics
from transpose.evaluation.matches import MatchTable
from transpose.evaluation.results import PoseResults
from transpose.skeleton import Skeleton

STATISTICS = ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL")
"""The COCO evaluation's figures, in its order: fractions, and -1 where there is nobody to find."""


@dataclass(frozen=True)
class KeypointMetrics:
    """Figures of one set of results on one annotation file."""

    statistics: dict[str, float]
    """`STATISTICS` by name."""
    images: int
    """Images of the annotation file."""
    persons: int
    """Annotated persons that count: with labelled keypoints and no crowd."""
    predictions: int
    """Predictions handed in."""
    joints: tuple[JointMetrics, ...]
    """In the skeleton's order."""
    matches: MatchTable
    """What the bootstrap resamples; its AP is `statistics["AP"]`."""

    def record(self) -> dict[str, Any]:
        """JSON value of all but the matches."""
        return {
            **self.statistics,
            "images": self.images,
            "persons": self.persons,
            "predictions": self.predictions,
            "joints": [asdict(joint) for joint in self.joints],
        }


def evaluate_keypoints(annotations: CocoAnnotations, results: PoseResults, skeleton: Skeleton) -> KeypointMetrics:
    """Evaluate results with pycocotools: OKS 0.50:0.95, 20 predictions an image, sigmas of the skeleton.

    Raises:
        InputError: a result is of an image that the annotations do not have.
    """
    truth, predictions = _coco_datasets(annotations, results)
    with contextlib.redirect_stdout(io.StringIO()):
        ground_truth, detections = _indexed(pycoco.COCO(), truth), _indexed(pycoco.COCO(), predictions)
        evaluator = pycocoeval.COCOeval(ground_truth, detections, "keypoints")
        evaluator.params.kpt_oks_sigmas = skeleton.oks_sigmas
        statistics = _run(evaluator)
    matches = _match_table(evaluator)
    return KeypointMetrics(
        statistics=statistics,
        images=len(annotations.images),
        persons=int(matches.persons.sum()),
        predictions=len(results),
        joints=joint_metrics(annotations, results, skeleton),
        matches=matches,
    )


def second_opinion(annotations: CocoAnnotations, results: PoseResults, skeleton: Skeleton) -> dict[str, float] | None:
    """`STATISTICS` as xtcocotools gives them, or None where it is not installed.

    Its mask functions fail with NumPy 2; keypoint evaluation never calls them.

    Raises:
        InputError: as `evaluate_keypoints`.
    """
    coco, cocoeval = _module("xtcocotools.coco"), _module("xtcocotools.cocoeval")
    if coco is None or cocoeval is None:
        return None
    truth, predictions = _coco_datasets(annotations, results)
    with contextlib.redirect_stdout(io.StringIO()):
        ground_truth, detections = _indexed(coco.COCO(), truth), _indexed(coco.COCO(), predictions)
        return _run(cocoeval.COCOeval(ground_truth, detections, "keypoints", sigmas=skeleton.oks_sigmas))


def largest_disagreement(first: dict[str, float], second: dict[str, float]) -> float:
    """Largest absolute difference between two evaluators' `STATISTICS`."""
    return max(abs(first[name] - second[name]) for name in STATISTICS)


def _coco_datasets(annotations: CocoAnnotations, results: PoseResults) -> tuple[dict[str, Any], dict[str, Any]]:
    """Ground truth and predictions as the evaluators index them.

    Annotations are numbered anew from 1, because the evaluators take a match with number 0 for no match. Predictions
    get the area of their keypoints' extent, as the evaluators' own reader gives it, which refuses an empty list.
    """
    unknown = np.flatnonzero(annotations.images.find(results.image_ids) < 0)
    if len(unknown):
        problem = f"result {unknown[0]} is of the image {results.image_ids[unknown[0]]}, which is not there"
        raise InputError(annotations.source, None, "images", problem)
    persons = annotations.persons
    truth = [
        {
            "id": number,
            "image_id": image_id,
            "category_id": PERSON_CATEGORY,
            "bbox": box,
            "area": area,
            "iscrowd": int(crowd),
            "keypoints": keypoints,
            "num_keypoints": labelled,
        }
        for number, (image_id, box, area, crowd, keypoints, labelled) in enumerate(
            zip(
                persons.image_ids.tolist(),
                persons.boxes_xywh.tolist(),
                persons.areas.tolist(),
                persons.is_crowd.tolist(),
                persons.keypoints.reshape(len(persons), 3 * persons.keypoints.shape[1]).tolist(),
                (persons.keypoints[:, :, 2] > 0).sum(axis=1).tolist(),
                strict=True,
            ),
            start=1,
        )
    ]
    extents = np.ptp(results.keypoints[:, :, :2], axis=1).prod(axis=1)
    predictions = [
        {
            "id": number,
            "image_id": image_id,
            "category_id": PERSON_CATEGORY,
            "area": area,
            "keypoints": keypoints,
            "score": score,
        }
        for number, (image_id, area, keypoints, score) in enumerate(
            zip(
                results.image_ids.tolist(),
                extents.tolist(),
                results.flat_keypoints,
                results.scores.tolist(),
                strict=True,
            ),
            start=1,
        )
    ]
    shared = {
        "images": [{"id": image_id} for image_id in annotations.images.ids.tolist()],
        "categories": [{"id": PERSON_CATEGORY, "name": "person"}],
    }
    return {**shared, "annotations": truth}, {**shared, "annotations": predictions}


def _indexed(coco: Any, dataset: dict[str, Any]) -> Any:
    coco.dataset = dataset
    coco.createIndex()
    return coco


def _run(evaluator: Any) -> dict[str, float]:
    evaluator.evaluate()
    evaluator.accumulate()
    evaluator.summarize()
    return dict(zip(STATISTICS, map(float, evaluator.stats), strict=True))


def _match_table(evaluator: pycocoeval.COCOeval) -> MatchTable:
    """Pack the evaluator's matches of persons of all sizes, which come first, image by image."""
    image_ids = np.array(evaluator.params.imgIds, dtype=np.int64)
    thresholds = len(evaluator.params.iouThrs)
    evaluated = [(i, image) for i, image in enumerate(evaluator.evalImgs[: len(image_ids)]) if image is not None]
    persons = np.zeros(len(image_ids), dtype=np.int64)
    for i, image in evaluated:
        persons[i] = np.count_nonzero(np.asarray(image["gtIgnore"]) == 0)
    empty = np.zeros((thresholds, 0))
    return MatchTable(
        image_ids=image_ids,
        persons=persons,
        images=np.repeat([i for i, _ in evaluated], [len(image["dtScores"]) for _, image in evaluated]).astype(
            np.int64
        ),
        scores=np.concatenate([[], *(image["dtScores"] for _, image in evaluated)]),
        matched=np.concatenate([empty, *(image["dtMatches"] for _, image in evaluated)], axis=1).T > 0,
        ignored=np.concatenate([empty, *(image["dtIgnore"] for _, image in evaluated)], axis=1).T > 0,
    )


def _module(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
