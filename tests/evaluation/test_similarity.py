"""OKS is bitwise equal to that of the official evaluator."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.evaluation.hard_scenes import hard_scene
from tests.evaluation.official import official_evaluator
from transpose.evaluation.matching import pair_up
from transpose.evaluation.similarity import similarities
from transpose.skeleton import COCO_PERSON


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_similarities_are_the_official_ones_bit_by_bit(seed: int) -> None:
    annotations, results = hard_scene(seed)
    official = official_evaluator(annotations, results, COCO_PERSON)
    persons = annotations.persons
    pairs = pair_up(annotations.images.ids, persons, results)
    measured = similarities(pairs, persons, results.keypoints, COCO_PERSON.oks_sigmas)
    # The official ones lie in a matrix for each image, predictions by persons.
    matrices = [official.ious[image_id, 1] for image_id in pairs.image_ids.tolist()]
    expected = np.concatenate([[], *(np.ravel(matrix) for matrix in matrices)])
    np.testing.assert_array_equal(measured, expected)
