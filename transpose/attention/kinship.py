"""Which joints belong together: mirror partners, and neighbours along limbs."""

import numpy as np

from transpose.skeleton import Skeleton


def partners(skeleton: Skeleton) -> np.ndarray:
    """[K, K] bool: joint j is the mirror partner of joint i."""
    keypoints = np.arange(len(skeleton))
    return (skeleton.flip_permutation[:, None] == keypoints) & (keypoints[:, None] != keypoints)


def neighbours(skeleton: Skeleton) -> np.ndarray:
    """[K, K] bool: joint j is at the other end of a limb of joint i."""
    related = np.zeros((len(skeleton), len(skeleton)), dtype=bool)
    first, second = skeleton.limb_indices.T
    related[first, second] = related[second, first] = True
    return related
