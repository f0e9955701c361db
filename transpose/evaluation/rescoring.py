"""Person scores from keypoint scores that are corrected for the size of the person, without a network."""

import numpy as np

from transpose.geometry import extend_to_aspect
from transpose.inference.poses import PoseResults
from transpose.skeleton import Skeleton

_SCORED_FROM = 0.2
"""Keypoint scores that count for the person's, as in the official evaluation."""
_PADDING = 1.25
_ASPECT_HW = (4, 3)
_DEVIATION = 1 / 32
"""Standard deviation of heatmaps relative to the height of the crop: 2 of 64 cells, or 3 of 96."""
_AREA_OF_BOX = 0.53
"""COCO's usual ratio of the area of a person to that of the box."""


def size_corrected_scores(results: PoseResults, skeleton: Skeleton) -> np.ndarray:
    """Return person scores [N] from keypoint scores that are corrected to be expected OKS terms.

    Gu et al. (ICML 2024, On the calibration of human pose estimation) show that the maximum of a heatmap is not the
    expected OKS, and that a closed-form correction needs the size of the person. The formula here is derived from that
    argument and was not compared with theirs: if the position has a Gaussian error of variance v per axis, a heatmap of
    deviation h has its maximum at s = h^2 / (h^2 + v), and the expected OKS term is c = l^2 / (l^2 + v) with
    l^2 = area (2 sigma)^2. So c = l^2 / (l^2 + h^2 (1 / s - 1)).

    The box is that of the predicted keypoints; h is that of the standard heatmaps in its crop, and the area a fixed
    share of it. The person's score is multiplied by mean(c) / mean(s) over the keypoints with s > 0.2, so that the
    factor of a detector's score remains. Keypoint scores are clipped to [0, 1]; a box without area has a score of 0.
    """
    scores = np.clip(results.keypoints[..., 2], 0, 1)
    sides_wh = np.ptp(results.keypoints[..., :2], axis=1)
    crops_wh = extend_to_aspect(sides_wh * _PADDING, _ASPECT_HW)
    heatmap_variances = np.square(crops_wh[:, 1] * _DEVIATION)[:, None]
    allowed = (_AREA_OF_BOX * sides_wh.prod(axis=1))[:, None] * np.square(2 * skeleton.oks_sigmas)
    counted = scores > _SCORED_FROM
    spread = heatmap_variances * (1 / np.where(counted, scores, 1) - 1)
    total = allowed + spread
    corrected = np.divide(allowed, total, out=np.zeros_like(total), where=total > 0)
    before, after = (np.where(counted, values, 0).sum(axis=1) for values in (scores, corrected))
    return results.scores * np.divide(after, before, out=np.ones_like(after), where=before > 0)
