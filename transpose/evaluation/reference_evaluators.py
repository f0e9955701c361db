"""Run third-party COCO evaluators on our annotations and results."""

import contextlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np

from transpose.data.coco import PERSON_CATEGORY, CocoAnnotations
from transpose.inference.poses import PoseResults


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
        results: results in images of the annotations.
    """
    truth, predictions = _coco_datasets(annotations, results)
    # The evaluators print to stdout.
    with contextlib.redirect_stdout(io.StringIO()):
        evaluator = make_evaluator(_indexed(make_coco(), truth), _indexed(make_coco(), predictions))
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return evaluator


def _coco_datasets(annotations: CocoAnnotations, results: PoseResults) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return ground truth and predictions as COCO data sets.

    Annotation ids start at 1, because the evaluators treat a match with id 0 as no match. The area of a prediction is
    the bounding box of its keypoints, as in the evaluators' own reader, which refuses an empty list.
    """
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
