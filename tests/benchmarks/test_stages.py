"""Plain implementations of decoding, suppression and evaluation have the results of this package's."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.random_data import random_annotations, random_heatmaps, write_annotations
from benchmarks.stages import (
    decode_all_at_once,
    decode_keypoint_by_keypoint,
    evaluate_by_package,
    evaluate_by_pycocotools,
    suppress_all_at_once,
    suppress_person_by_person,
)
from transpose.data.coco import load_annotations
from transpose.evaluation.results import write_results
from transpose.skeleton import COCO_PERSON


def test_both_decoders_find_the_same_points() -> None:
    heatmaps = random_heatmaps(persons=6, seed=1)
    np.testing.assert_allclose(decode_all_at_once(heatmaps), decode_keypoint_by_keypoint(heatmaps), rtol=0, atol=1e-4)


def test_both_suppressions_keep_the_same_persons() -> None:
    people = random_annotations(images=20, persons=40, detections=400, seed=1)
    kept = suppress_all_at_once(people)
    np.testing.assert_array_equal(suppress_person_by_person(people), kept)
    assert 200 < len(kept) < 380


def test_both_evaluators_give_the_same_figures(tmp_path: Path) -> None:
    people = random_annotations(images=30, persons=60, detections=400, seed=1)
    annotations, results = tmp_path / "annotations.json", tmp_path / "results.json"
    write_annotations(people.annotations, annotations)
    write_results(people.detections, results)
    ours = evaluate_by_package(annotations, results)
    assert ours == pytest.approx(evaluate_by_pycocotools(annotations, results), abs=1e-9)
    assert 0.01 < ours["AP"] < 0.99


def test_random_annotations_read_back_exactly(tmp_path: Path) -> None:
    annotations = random_annotations(images=10, persons=20, detections=0, seed=1).annotations
    write_annotations(annotations, tmp_path / "annotations.json")
    read = load_annotations(tmp_path / "annotations.json", COCO_PERSON).persons
    for field, values in vars(annotations.persons).items():
        np.testing.assert_array_equal(getattr(read, field), values)
