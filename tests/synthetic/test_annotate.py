from collections.abc import Callable

import numpy as np
from pycocotools import mask as coco_mask

from transpose.skeleton import COCO_PERSON
from transpose.synthetic.annotate import Hidden, Keypoints, annotations, labelled, locate_keypoints
from transpose.synthetic.figure import Figure
from transpose.synthetic.objects import prism
from transpose.synthetic.render import NO_PERSON, Rendering, render
from transpose.synthetic.scene import Scene

LEGS = [COCO_PERSON.index(f"{side}_{part}") for side in ("left", "right") for part in ("knee", "ankle")]
UPPER = [COCO_PERSON.index(name) for name in ("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "nose")]


def rendered(scene: Scene) -> Rendering:
    return render(scene, 2, np.random.default_rng(0))


def hidden(scene: Scene, owner: int = 0) -> np.ndarray:
    return locate_keypoints(scene.camera, scene.figures[owner].keypoints, rendered(scene), owner).hidden


def test_a_person_facing_the_camera_is_fully_visible(upright: Callable[..., Figure], scene_of: Callable[..., Scene]):
    scene = scene_of(upright())
    (person,) = annotations(scene, rendered(scene), smallest_labelled_area=0)
    keypoints = np.reshape(person["keypoints"], (17, 3))
    ears = [COCO_PERSON.index("left_ear"), COCO_PERSON.index("right_ear")]
    assert (np.delete(keypoints[:, 2], ears) == 2).all()
    assert person["num_keypoints"] == 17
    for left, right in COCO_PERSON.flip_pairs:
        assert keypoints[COCO_PERSON.index(left), 0] > keypoints[COCO_PERSON.index(right), 0]
    x, y, width, height = person["bbox"]
    assert (keypoints[:, :2] >= (x, y)).all()
    assert (keypoints[:, :2] <= (x + width, y + height)).all()


def test_keypoints_lie_on_the_image_of_the_person(upright: Callable[..., Figure], scene_of: Callable[..., Scene]):
    scene = scene_of(upright())
    owners = rendered(scene).owners
    points = scene.camera.project(scene.figures[0].keypoints)[:, :2].round().astype(int)
    assert (owners[points[:, 1], points[:, 0]] == 0).mean() > 0.9


def test_a_face_turned_away_is_hidden_by_its_own_head(upright: Callable[..., Figure], scene_of: Callable[..., Scene]):
    found = hidden(scene_of(upright(facing=180)))
    assert (found[[COCO_PERSON.index(name) for name in ("nose", "left_eye", "right_eye")]] == Hidden.BY_SELF).all()
    assert (found[UPPER[:4]] == Hidden.SEEN).all()
    assert (found[LEGS] == Hidden.SEEN).all()


def test_a_far_side_arm_is_hidden_by_the_body(upright: Callable[..., Figure], scene_of: Callable[..., Scene]):
    # Turned to the image's right: the left side is the far one.
    found = hidden(scene_of(upright(facing=90)))
    assert found[COCO_PERSON.index("right_elbow")] == Hidden.SEEN
    assert found[COCO_PERSON.index("left_elbow")] == Hidden.BY_SELF


def test_a_box_hides_the_legs(upright: Callable[..., Figure], scene_of: Callable[..., Scene]):
    wall = prism(np.array([0, 3.2, 0.35]), np.array([3, 0.2, 0.7]), 0, 4, np.ones(3, np.float32))
    found = hidden(scene_of(upright(), props=(wall,)))
    assert (found[LEGS] == Hidden.BY_OTHER).all()
    assert (found[UPPER] == Hidden.SEEN).all()


def test_a_person_in_front_occludes_and_is_not_occluded(upright: Callable[..., Figure], scene_of: Callable[..., Scene]):
    scene = scene_of(upright(), upright(y=3.0, x=0.1))
    assert (hidden(scene, owner=1) == Hidden.SEEN).sum() >= 12
    assert (hidden(scene, owner=0) == Hidden.BY_OTHER).sum() >= 5


def test_joints_beyond_the_border_are_outside(upright: Callable[..., Figure], scene_of: Callable[..., Scene]):
    scene = scene_of(upright(x=0.85))
    (person,) = annotations(scene, rendered(scene), smallest_labelled_area=0)
    visibility = np.reshape(person["keypoints"], (17, 3))[:, 2]
    left_wrist, right_wrist = COCO_PERSON.index("left_wrist"), COCO_PERSON.index("right_wrist")
    assert person["occlusion"][left_wrist] == Hidden.OUTSIDE
    assert visibility[left_wrist] == 0
    assert visibility[right_wrist] == 2
    assert person["keypoints"][3 * left_wrist : 3 * left_wrist + 3] == [0, 0, 0]
    assert person["true_keypoints"][2 * left_wrist] > scene.camera.size_hw[1] - 0.5


def test_area_box_and_mask_agree(upright: Callable[..., Figure], scene_of: Callable[..., Scene]):
    scene = scene_of(upright(x=-0.3), upright(x=0.3, y=3.6))
    rendering = rendered(scene)
    for index, person in enumerate(annotations(scene, rendering, smallest_labelled_area=0)):
        mask = coco_mask.decode(person["segmentation"]).astype(bool)
        np.testing.assert_array_equal(mask, rendering.owners == index)
        assert person["area"] == mask.sum()
        assert person["bbox"] == coco_mask.toBbox(person["segmentation"]).tolist()


def test_small_people_keep_their_mask_but_no_keypoints(upright: Callable[..., Figure], scene_of: Callable[..., Scene]):
    scene = scene_of(upright())
    (person,) = annotations(scene, rendered(scene), smallest_labelled_area=1e5)
    assert person["num_keypoints"] == 0
    assert not any(person["keypoints"])
    assert person["area"] > 0
    assert any(person["true_keypoints"])


def test_a_crowd_is_one_unlabelled_region(upright: Callable[..., Figure], scene_of: Callable[..., Scene]):
    scene = scene_of(upright(x=-0.3), upright(x=0.3), in_crowd=True)
    rendering = rendered(scene)
    (crowd,) = annotations(scene, rendering, smallest_labelled_area=0)
    assert crowd["iscrowd"] == 1
    assert not any(crowd["keypoints"])
    assert crowd["area"] == (rendering.owners != NO_PERSON).sum()


def test_no_visible_person_gives_no_annotation(scene_of: Callable[..., Scene]):
    scene = scene_of()
    assert annotations(scene, rendered(scene), smallest_labelled_area=0) == []


def keypoints_hidden(**exceptions: Hidden) -> Keypoints:
    states = np.full(17, Hidden.SEEN)
    for name, state in exceptions.items():
        states[COCO_PERSON.index(name)] = state
    return Keypoints(np.arange(34.0).reshape(17, 2) + 1, states)


def test_hidden_joints_are_labelled_only_next_to_others_that_are_not():
    truth = keypoints_hidden(
        left_wrist=Hidden.BY_OTHER, left_knee=Hidden.BY_OTHER, left_ankle=Hidden.BY_OTHER, nose=Hidden.BY_SELF
    )
    found = dict(zip(COCO_PERSON.keypoints, labelled(truth), strict=True))
    assert found["left_wrist"][2] == 1
    assert found["left_knee"][2] == 1
    assert found["left_ankle"].tolist() == [0, 0, 0]
    assert found["nose"][2] == 1
    assert found["right_ankle"][2] == 2


def test_a_barely_visible_person_is_not_labelled():
    truth = Keypoints(np.ones((17, 2)), np.array([Hidden.SEEN] + [Hidden.BY_SELF] * 16))
    assert not labelled(truth).any()
