"""A skeleton's names and the arrays that are derived from them."""

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from transpose.skeleton import COCO_PERSON, Skeleton

SMALL = {
    "name": "small",
    "keypoints": ("head", "left_hand", "tail", "right_hand"),
    "flip_pairs": (("left_hand", "right_hand"),),
    "limbs": (("head", "tail"), ("tail", "left_hand")),
    "sigmas": (0.1, 0.2, 0.3, 0.4),
    "joint_weights": (1, 0, 1.5, 1),
    "upper_body": ("head", "right_hand"),
}


def test_arrays_are_in_the_order_of_the_annotations() -> None:
    small = Skeleton.model_validate(SMALL)
    assert len(small) == 4
    assert small.index("tail") == 2
    assert small.flip_permutation.tolist() == [0, 3, 2, 1]
    assert small.upper_body_mask.tolist() == [True, False, False, True]
    assert small.limb_indices.tolist() == [[0, 2], [2, 1]]
    assert small.oks_sigmas.tolist() == [0.1, 0.2, 0.3, 0.4]
    assert small.loss_weights.tolist() == [1, 0, 1.5, 1]
    assert (small.oks_sigmas.dtype, small.loss_weights.dtype) == (np.float64, np.float32)


def test_a_skeleton_may_have_no_pairs_limbs_or_upper_body() -> None:
    bare = Skeleton.model_validate({**SMALL, "flip_pairs": (), "limbs": (), "upper_body": ()})
    assert bare.flip_permutation.tolist() == [0, 1, 2, 3]
    assert bare.limb_indices.shape == (0, 2)
    assert not bare.upper_body_mask.any()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"keypoints": ("head", "left_hand", "tail", "head")}, "keypoints contains a duplicate name"),
        ({"keypoints": ()}, "at least 1 item"),
        ({"keypoints": ("head", "left_hand", "tail", "")}, "at least 1 character"),
        ({"sigmas": (0.1,)}, "sigmas has 1 values for 4 keypoints"),
        ({"sigmas": (0.1, 0.2, 0.0, 0.4)}, "greater than 0"),
        ({"joint_weights": (1,) * 5}, "joint_weights has 5 values for 4 keypoints"),
        ({"joint_weights": (1, 1, -1, 1)}, "greater than or equal to 0"),
        ({"limbs": (("head", "wing"),)}, "unknown keypoint wing"),
        ({"flip_pairs": (("left_hand", "fin"),)}, "unknown keypoint fin"),
        ({"upper_body": ("horn",)}, "unknown keypoint horn"),
        ({"flip_pairs": (("left_hand", "right_hand"), ("head", "left_hand"))}, "flip_pairs contains a duplicate name"),
        ({"flip_pairs": (("head", "head"),)}, "flip_pairs contains a duplicate name"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_what_does_not_fit_together_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Skeleton.model_validate({**SMALL, **change})


class TestCoco:
    def test_names_are_those_of_the_annotation_files(self) -> None:
        sides = ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
        assert COCO_PERSON.keypoints == ("nose", *(f"{side}_{part}" for part in sides for side in ("left", "right")))

    def test_mirroring_twice_changes_nothing_and_trades_sides(self) -> None:
        turned = COCO_PERSON.flip_permutation
        np.testing.assert_array_equal(turned[turned], np.arange(17))
        for name, mirrored in zip(COCO_PERSON.keypoints, np.array(COCO_PERSON.keypoints)[turned], strict=True):
            traded = name.replace("left", "x").replace("right", "left")
            assert mirrored == traded.replace("x", "right")

    def test_mirrored_keypoints_are_alike(self) -> None:
        turned = COCO_PERSON.flip_permutation
        for values in (COCO_PERSON.oks_sigmas, COCO_PERSON.loss_weights, COCO_PERSON.upper_body_mask):
            np.testing.assert_array_equal(values[turned], values)
        limbs = {frozenset(limb) for limb in COCO_PERSON.limb_indices.tolist()}
        assert {frozenset(turned[list(limb)].tolist()) for limb in limbs} == limbs

    def test_sigmas_are_the_official_evaluators(self) -> None:
        tenths = [0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89]
        np.testing.assert_allclose(COCO_PERSON.oks_sigmas, np.array(tenths) / 10)

    def test_the_upper_body_is_all_above_the_hips(self) -> None:
        assert COCO_PERSON.upper_body_mask.tolist() == [True] * 11 + [False] * 6

    def test_limbs_connect_all_keypoints(self) -> None:
        reached = {0}
        for _ in range(17):
            reached |= {end for limb in COCO_PERSON.limb_indices.tolist() if reached & set(limb) for end in limb}
        assert reached == set(range(17))

    def test_it_survives_json_and_the_use_of_its_arrays(self) -> None:
        _ = COCO_PERSON.flip_permutation, COCO_PERSON.limb_indices
        assert Skeleton.model_validate_json(COCO_PERSON.model_dump_json()) == COCO_PERSON


def test_skeletons_with_cached_arrays_are_compared_and_copied_by_their_fields() -> None:
    first, second = (Skeleton.model_validate(COCO_PERSON.model_dump()) for _ in range(2))
    assert first.oks_sigmas.shape == second.oks_sigmas.shape == (17,)
    assert first == second
    assert hash(first) == hash(second)
    changed = first.model_copy(update={"sigmas": (0.1,) * 17})
    assert changed != first
    assert set(changed.oks_sigmas.tolist()) == {0.1}
