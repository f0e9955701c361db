"""The timed implementations of decoding, suppression and evaluation give the same results."""

from pathlib import Path

import numpy as np
import pytest

from transpose.benchmark.decoder import KERNEL, compare_decoders, decode_keypoint_by_keypoint, made_up_heatmaps
from transpose.benchmark.evaluator import by_our_evaluator, by_pycocotools, compare_evaluators
from transpose.benchmark.evaluator_scale import measure_scale
from transpose.benchmark.random_annotations import random_annotations, write_annotations
from transpose.benchmark.suppression import compare_suppressions, suppress_all_at_once, suppress_person_by_person
from transpose.data.coco import load_annotations
from transpose.evaluation.results import write_results
from transpose.inference.decode import dark_decode
from transpose.skeleton import COCO_PERSON


def test_both_decoders_find_the_same_points() -> None:
    heatmaps = made_up_heatmaps(persons=6, seed=1)
    np.testing.assert_allclose(
        dark_decode(heatmaps, KERNEL)[0], decode_keypoint_by_keypoint(heatmaps), rtol=0, atol=1e-4
    )


def test_both_suppressions_keep_the_same_persons() -> None:
    people = random_annotations(images=20, persons=40, detections=400, seed=1)
    kept = suppress_all_at_once(people)
    np.testing.assert_array_equal(suppress_person_by_person(people), kept)
    assert 200 < len(kept) < 380


def test_both_evaluators_give_the_same_figures(tmp_path: Path) -> None:
    people = random_annotations(images=30, persons=60, detections=400, seed=1)
    write_annotations(people.annotations, tmp_path / "annotations.json")
    write_results(people.detections, tmp_path / "results.json")
    ours = by_our_evaluator(tmp_path / "annotations.json", tmp_path / "results.json")
    assert ours == pytest.approx(by_pycocotools(tmp_path / "annotations.json", tmp_path / "results.json"), abs=1e-9)
    assert 0.01 < ours["AP"] < 0.99


def test_made_up_annotations_read_back_exactly(tmp_path: Path) -> None:
    annotations = random_annotations(images=10, persons=20, detections=0, seed=1).annotations
    write_annotations(annotations, tmp_path / "annotations.json")
    read = load_annotations(tmp_path / "annotations.json", COCO_PERSON).persons
    for field, values in vars(annotations.persons).items():
        np.testing.assert_array_equal(getattr(read, field), values)


def test_remarks_give_the_differences_of_the_outputs() -> None:
    remarks = [
        compare_decoders(persons=2, rounds=1).remark,
        compare_suppressions(images=5, detections=40, rounds=1).remark,
        compare_evaluators(images=5, persons=10, detections=40, rounds=1).remark,
    ]
    assert remarks[0].startswith("largest difference between the points: ")
    assert remarks[1].startswith("both keep the same persons ")
    assert remarks[2] == "largest difference between the metrics: 0"


def test_scale_counts_what_it_evaluated() -> None:
    small, large = measure_scale((10, 40))
    assert (small.persons, small.detections, small.images) == (10, 70, 5)
    assert (large.persons, large.detections, large.images) == (40, 280, 20)
    assert small.memory_mb > 0
    assert small.input_mb == pytest.approx(80 * 17 * 3 * 8 / 1e6)
