"""How well each joint is found, by itself."""

from dataclasses import dataclass

import numpy as np

from transpose.data.coco import CocoAnnotations, PersonInstances
from transpose.evaluation.matches import MatchTable, average_precisions
from transpose.evaluation.matching import Pairs, match_greedily, pair_up, squared_errors
from transpose.evaluation.results import PoseResults
from transpose.skeleton import Skeleton


@dataclass(frozen=True)
class JointMetrics:
    """Figures of one joint over all persons that are no crowd.

    Errors are the distance to the labelled joint in units of its OKS kappa, sqrt(area) 2 sigma: at an error of 1 the
    joint's OKS term is exp(-1/2) = 0.61. They are those of the prediction that has the largest OKS with the person;
    persons in images without predictions have no error.
    """

    keypoint: str
    ap: float
    """AP of the COCO evaluation, had this joint alone been annotated and predicted: mean over OKS 0.50:0.95, of persons
    with the joint labelled, predictions ranked by the person's score; -1 where the joint is labelled on nobody."""
    occluded: int
    """Persons with the joint labelled v = 1."""
    visible: int
    """Persons with the joint labelled v = 2."""
    median_error_occluded: float | None
    """None without any error to take the median of."""
    median_error_visible: float | None

    @property
    def accuracy(self) -> float:
        """The figure that joints are compared by."""
        return self.ap


def joint_metrics(annotations: CocoAnnotations, results: PoseResults, skeleton: Skeleton) -> tuple[JointMetrics, ...]:
    """Figures of every joint, in the skeleton's order."""
    persons = annotations.persons
    pairs = pair_up(annotations.images.ids, persons, results)
    to_joint, to_box = squared_errors(pairs, persons, results, skeleton.oks_sigmas)
    labelled = persons.keypoints[:, :, 2] > 0
    similarity = np.exp(-np.where(labelled[pairs.person], to_joint, to_box) / 2)
    precisions = _joint_precisions(pairs, persons, results, similarity)
    errors = _joint_errors(pairs, labelled, to_joint)
    return tuple(
        _joint(name, float(precisions[k]), persons.keypoints[~persons.is_crowd, k, 2], errors[~persons.is_crowd, k])
        for k, name in enumerate(skeleton.keypoints)
    )


def _joint(name: str, precision: float, labels: np.ndarray, errors: np.ndarray) -> JointMetrics:
    occluded, visible = labels == 1, labels == 2
    return JointMetrics(
        keypoint=name,
        ap=precision,
        occluded=int(occluded.sum()),
        visible=int(visible.sum()),
        median_error_occluded=_median(errors[occluded]),
        median_error_visible=_median(errors[visible]),
    )


def _joint_precisions(
    pairs: Pairs, persons: PersonInstances, results: PoseResults, similarity: np.ndarray
) -> np.ndarray:
    """[K]: AP of each joint from similarity [P, K]."""
    ignored = (persons.keypoints[:, :, 2] == 0) | persons.is_crowd[:, None]
    matched, on_ignored = match_greedily(pairs, similarity, ignored, persons.is_crowd)
    images = len(pairs.image_ids)
    counts = np.stack([np.bincount(pairs.person_images[~aside], minlength=images) for aside in ignored.T], axis=1)
    once = np.ones((1, images), dtype=np.int64)
    tables = (
        MatchTable(
            image_ids=pairs.image_ids,
            persons=counts[:, k],
            images=pairs.detection_images,
            scores=results.scores[pairs.detections],
            matched=matched[:, k],
            ignored=on_ignored[:, k],
        )
        for k in range(similarity.shape[1])
    )
    return np.array([average_precisions(table, once)[0] for table in tables])


def _joint_errors(pairs: Pairs, labelled: np.ndarray, to_joint: np.ndarray) -> np.ndarray:
    """[G, K]: error in kappas of the prediction nearest to each person, NaN where the image has no prediction."""
    errors = np.full(labelled.shape, np.nan)
    oks_sum = (np.exp(-to_joint / 2) * labelled[pairs.person]).sum(axis=1)
    order = np.lexsort((oks_sum, pairs.person))
    ends = np.flatnonzero(np.diff(pairs.person[order], append=-1))
    best = order[ends]
    errors[pairs.person[best]] = np.sqrt(to_joint[best])
    return errors


def _median(errors: np.ndarray) -> float | None:
    known = errors[~np.isnan(errors)]
    return float(np.median(known)) if len(known) else None
