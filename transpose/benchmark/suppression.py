"""BenchmarkReport of rescoring and OKS-NMS of a data set against a naive loop over persons."""

import numpy as np

from transpose.benchmark.comparison import SpeedComparison, compare_speed
from transpose.benchmark.outputs import Outputs
from transpose.benchmark.random_annotations import RandomAnnotations, random_annotations
from transpose.inference.nms import oks_nms, rescore
from transpose.skeleton import COCO_PERSON

KEYPOINT_THRESHOLD, OKS_THRESHOLD = 0.2, 0.9
PLAIN, OURS = "person by person", "all at once"


def compare_suppressions(
    images: int = 5_000, detections: int = 104_125, rounds: int = 3, seed: int = 0
) -> SpeedComparison:
    """Time rescoring and suppression of random detections, by default as many as in COCO val2017's official file.

    The remark says whether both candidates keep the same persons.
    """
    people = random_annotations(images, persons=2 * images, detections=detections, seed=seed)
    outputs: Outputs[np.ndarray] = Outputs()
    result = compare_speed(
        f"Rescoring and OKS-NMS of {detections:,} detections in {images:,} images",
        "detections",
        detections,
        [
            outputs.candidate(PLAIN, lambda: suppress_person_by_person(people)),
            outputs.candidate(OURS, lambda: suppress_all_at_once(people)),
        ],
        rounds,
    )
    kept = outputs.of[OURS]
    same = "the same" if np.array_equal(outputs.of[PLAIN], kept) else "different"
    return result.model_copy(update={"remark": f"both keep {same} persons ({len(kept):,})"})


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
        left = members[np.argsort(-scores[members], kind="stable")]
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
