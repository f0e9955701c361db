"""Errors injected into predictions of rendered people, whose keypoints may be close together, are found."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.injected_errors import PAIRED_21, Scene
from tests.helpers.torso_data import TORSO
from transpose.config.dataset import SyntheticSource
from transpose.data.coco import CocoAnnotations, parse_annotations
from transpose.evaluation.error_types.keypoints import KeypointClass
from transpose.evaluation.error_types.report import diagnose
from transpose.inference.poses import PoseResults
from transpose.skeleton import COCO_PERSON, Skeleton
from transpose.synthetic.dataset import renderer_of

IMAGES = 12


@cache
def rendered() -> CocoAnnotations:
    settings = SyntheticSource(images={"val": IMAGES}, image_size=(120, 160), antialias=1, smallest_labelled_area=100)
    images, persons = [], []
    for index in range(IMAGES):
        _, image, found = renderer_of(settings, "val").render_image(index)
        images.append(image)
        persons += found
    content = {"images": images, "annotations": persons, "categories": [{"id": 1, "name": "person"}]}
    return parse_annotations(Path("rendered.json"), content, COCO_PERSON)


def keypoints_of(skeleton: Skeleton) -> np.ndarray:
    """Indices [K, 2] of the two COCO keypoints whose middle each keypoint of a skeleton is."""
    if skeleton is TORSO:
        return np.array([[k, k] for k in (0, 5, 6, 11, 12)])
    same = [[k, k] for k in range(17)]
    return np.array(same if skeleton is COCO_PERSON else [*same, (5, 7), (6, 8), (11, 13), (12, 14)])


def exact_scene(skeleton: Skeleton) -> Scene:
    annotations = rendered()
    first, second = (annotations.persons.keypoints[:, k] for k in keypoints_of(skeleton).T)
    points = (first + second) / 2
    points[..., 2] = np.minimum(first[..., 2], second[..., 2])
    points[points[..., 2] == 0] = 0
    persons = replace(annotations.persons, keypoints=points)
    chosen = np.flatnonzero(persons.is_labelled & ~persons.is_crowd)
    predicted = points[chosen].copy()
    predicted[..., 2] = 0.5
    results = PoseResults(persons.image_ids[chosen], predicted, np.linspace(0.9, 0.1, len(chosen)))
    return Scene(replace(annotations, persons=persons), results, skeleton)


def classes_of(scene: Scene) -> np.ndarray:
    return diagnose(scene.annotations, scene.results, scene.skeleton).keypoint_classes


def jittered(scene: Scene, person: int, keypoint: int, area: float) -> np.ndarray:
    distance = 2 * scene.skeleton.oks_sigmas[keypoint] * np.sqrt(area * -2 * np.log(0.6))
    return scene.truth(person, keypoint) + np.array([0, distance])


def mirrored(scene: Scene, person: int, keypoint: int, area: float) -> np.ndarray:
    return scene.truth(person, int(scene.skeleton.flip_permutation[keypoint]))


def far_away(scene: Scene, person: int, keypoint: int, area: float) -> np.ndarray:
    return np.array([-1e4, -1e4])


def of_another(scene: Scene, person: int, keypoint: int, area: float) -> np.ndarray:
    persons = scene.annotations.persons
    others = np.flatnonzero(
        (persons.image_ids == persons.image_ids[person])
        & (persons.keypoints[:, keypoint, 2] > 0)
        & (np.arange(len(persons)) != person)
    )
    return scene.truth(int(others[0]), keypoint) if len(others) else scene.truth(person, keypoint)


@pytest.mark.parametrize("skeleton", [TORSO, COCO_PERSON, PAIRED_21], ids=lambda skeleton: skeleton.name)
def test_exact_predictions_are_good(skeleton: Skeleton) -> None:
    scene = exact_scene(skeleton)
    labelled = (scene.annotations.persons.keypoints[..., 2] > 0).sum()
    assert labelled > 40
    assert np.bincount(classes_of(scene).ravel())[1:].tolist() == [labelled]


@pytest.mark.parametrize("skeleton", [TORSO, COCO_PERSON, PAIRED_21], ids=lambda skeleton: skeleton.name)
@pytest.mark.parametrize(
    ("position", "kind"),
    [
        (jittered, KeypointClass.JITTER),
        (mirrored, KeypointClass.INVERSION),
        (of_another, KeypointClass.SWAP),
        (far_away, KeypointClass.MISS),
    ],
)
def test_one_wrong_keypoint_is_found(
    skeleton: Skeleton, position: Callable[[Scene, int, int, float], np.ndarray], kind: KeypointClass
) -> None:
    """Each labelled keypoint that is far from all others is moved once, alone."""
    scene, found = exact_scene(skeleton), 0
    persons = scene.annotations.persons
    predicted = np.flatnonzero(persons.is_labelled & ~persons.is_crowd)
    for row, person in enumerate(predicted.tolist()):
        area = persons.areas[person]
        for keypoint in range(len(skeleton)):
            to_xy = position(scene, person, keypoint, area)
            if not is_clear(scene, person, keypoint, to_xy, kind):
                continue
            keypoints = scene.results.keypoints.copy()
            keypoints[row, keypoint, :2] = to_xy
            classes = classes_of(replace(scene, results=replace(scene.results, keypoints=keypoints)))
            expected = np.where(classes > 0, KeypointClass.GOOD, KeypointClass.UNLABELLED)
            expected[person, keypoint] = kind
            np.testing.assert_array_equal(classes, expected)
            found += 1
            break
    assert found > 3


def is_clear(scene: Scene, person: int, keypoint: int, to_xy: np.ndarray, kind: KeypointClass) -> bool:
    """Whether a position is near the keypoints of one kind only, and near enough persons stay found."""
    persons, skeleton = scene.annotations.persons, scene.skeleton
    if persons.keypoints[person, keypoint, 2] == 0 or (persons.keypoints[person, :, 2] > 0).sum() < 3:
        return False
    partner = int(skeleton.flip_permutation[keypoint])
    near = {KeypointClass.JITTER: False, KeypointClass.INVERSION: False, KeypointClass.SWAP: False}
    for other in np.flatnonzero(persons.image_ids == persons.image_ids[person]).tolist():
        for k in {keypoint, partner}:
            if persons.keypoints[other, k, 2] == 0:
                continue
            squared = ((persons.keypoints[other, k, :2] - to_xy) ** 2).sum()
            similarity = np.exp(-squared / (2 * persons.areas[other] * (2 * skeleton.oks_sigmas[keypoint]) ** 2))
            of = (
                KeypointClass.SWAP
                if other != person
                else (KeypointClass.JITTER if k == keypoint else KeypointClass.INVERSION)
            )
            near[of] |= bool(similarity >= 0.4)
    return [of for of, is_near in near.items() if is_near] == ([] if kind is KeypointClass.MISS else [kind])
