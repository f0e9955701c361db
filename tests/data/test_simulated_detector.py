from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from transpose.config.dataset import SimulatedBoxes
from transpose.data.boxes import PersonBoxes
from transpose.data.coco import CocoAnnotations, ImageTable, PersonInstances
from transpose.data.simulated_detector import simulated_boxes

IMAGES, PERSONS = 400, 1200


@pytest.fixture(scope="module")
def annotations() -> CocoAnnotations:
    rng = np.random.default_rng(0)
    sides = rng.uniform(30, 120, (PERSONS, 2))
    persons = PersonInstances(
        image_ids=rng.integers(1, IMAGES + 1, PERSONS),
        annotation_ids=np.arange(1, PERSONS + 1),
        boxes_xywh=np.concatenate([rng.uniform(150, 300, (PERSONS, 2)), sides], axis=1),
        keypoints=np.zeros((PERSONS, 17, 3)),
        areas=sides.prod(axis=1) / 2,
        is_crowd=np.zeros(PERSONS, dtype=bool),
    )
    images = ImageTable(np.arange(1, IMAGES + 1), ["x.jpg"] * IMAGES, np.full((IMAGES, 2), 640, dtype=np.int32))
    return CocoAnnotations(Path("annotations.json"), images, persons)


def settings(**changes: float) -> SimulatedBoxes:
    exact = {"centre_jitter": 0, "size_jitter": 0, "miss_probability": 0, "duplicate_probability": 0}
    exact |= {"false_positives": 0, "true_score_mean": 0.85}
    return SimulatedBoxes.model_validate({"kind": "simulated"} | exact | changes)


def rows(boxes: PersonBoxes) -> np.ndarray:
    return np.column_stack([boxes.image_ids, boxes.boxes_xywh, boxes.scores])


def true_rows(annotations: CocoAnnotations) -> np.ndarray:
    persons = annotations.persons
    return np.column_stack([persons.image_ids, persons.boxes_xywh])[np.argsort(persons.image_ids, kind="stable")]


def test_without_errors_the_boxes_are_the_truth(annotations):
    boxes = simulated_boxes(annotations, settings())
    np.testing.assert_allclose(rows(boxes)[:, :5], true_rows(annotations), atol=1e-9)
    assert boxes.scores.mean() == pytest.approx(0.85, abs=0.02)
    assert (boxes.annotation_ids == -1).all()


def test_jitter_has_the_stated_size(annotations):
    boxes = simulated_boxes(annotations, settings(centre_jitter=0.05, size_jitter=0.08)).boxes_xywh
    truth = true_rows(annotations)[:, 1:]
    shift = (boxes[:, :2] + boxes[:, 2:] / 2 - truth[:, :2] - truth[:, 2:] / 2) / truth[:, 2:]
    assert shift.std() == pytest.approx(0.05, rel=0.1)
    assert np.log(boxes[:, 2:] / truth[:, 2:]).std() == pytest.approx(0.08, rel=0.1)


def test_misses_duplicates_and_false_positives_have_the_stated_rates(annotations):
    assert len(simulated_boxes(annotations, settings(miss_probability=0.2))) == pytest.approx(0.8 * PERSONS, rel=0.05)
    doubled = simulated_boxes(annotations, settings(duplicate_probability=0.3))
    assert len(doubled) == pytest.approx(1.3 * PERSONS, rel=0.05)
    false = simulated_boxes(annotations, settings(miss_probability=1, false_positives=0.5))
    assert len(false) == pytest.approx(0.5 * IMAGES, rel=0.15)
    assert false.scores.mean() == pytest.approx(0.25, abs=0.05)


def test_second_boxes_score_lower(annotations):
    boxes = simulated_boxes(annotations, settings(duplicate_probability=1))
    _, first, count = np.unique(rows(boxes)[:, :5].round(6), axis=0, return_index=True, return_counts=True)
    assert (count == 2).all()
    second = np.setdiff1d(np.arange(len(boxes)), first)
    lower = {tuple(boxes.boxes_xywh[i].round(6)): boxes.scores[i] for i in second}
    assert all(lower[tuple(boxes.boxes_xywh[i].round(6))] < boxes.scores[i] for i in first)


def test_boxes_lie_in_their_images(annotations):
    wild = simulated_boxes(annotations, settings(centre_jitter=3, size_jitter=1, false_positives=2))
    assert (wild.boxes_xywh[:, :2] >= 0).all()
    assert (wild.boxes_xywh[:, 2:] >= 1).all()
    assert (wild.boxes_xywh[:, :2] + wild.boxes_xywh[:, 2:] <= 640 + 1e-9).all()
    assert ((wild.scores >= 0) & (wild.scores <= 1)).all()


def test_the_seed_decides_all_and_the_order_nothing(annotations):
    default = SimulatedBoxes.model_validate({"kind": "simulated"})
    boxes = rows(simulated_boxes(annotations, default))
    np.testing.assert_array_equal(rows(simulated_boxes(annotations, default)), boxes)
    other = rows(simulated_boxes(annotations, default.model_copy(update={"seed": 1})))
    assert other.shape != boxes.shape or not np.allclose(other, boxes)
    shuffle = np.random.default_rng(5).permutation
    images, mixed = annotations.images, shuffle(IMAGES)
    reordered = replace(
        annotations,
        images=ImageTable(images.ids[mixed], images.file_names, images.sizes_hw[mixed]),
        persons=annotations.persons.select(shuffle(PERSONS)),
    )
    np.testing.assert_array_equal(rows(simulated_boxes(reordered, default)), boxes)


def test_crowds_are_not_found_and_images_may_be_empty(annotations):
    crowds = replace(annotations.persons, is_crowd=np.ones(PERSONS, dtype=bool))
    assert len(simulated_boxes(replace(annotations, persons=crowds), settings(false_positives=3))) == 0


@pytest.mark.parametrize("mean", [0.0, 1.0])
def test_extreme_scores_are_certain(annotations, mean):
    assert (simulated_boxes(annotations, settings(true_score_mean=mean)).scores == mean).all()
