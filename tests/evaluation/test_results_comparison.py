"""The comparison of two results files: paired differences, what decides them, and files that do not fit."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.injected_errors import Scene, exact_scene
from transpose.config.bootstrap import Bootstrap
from transpose.errors import InputError
from transpose.evaluation.average_recall import RecallTable
from transpose.evaluation.bootstrap import resample
from transpose.evaluation.external_annotations import AnnotatedKeypoints
from transpose.evaluation.oks import evaluate_keypoints
from transpose.evaluation.results_comparison import ResultsComparison, compare_results
from transpose.reporting.comparison_text import render_comparison
from transpose.skeleton import COCO_PERSON

BOOTSTRAP = Bootstrap(samples=50, seed=0)


def compare(folder: Path, first: Scene, second: Scene, **options: Any) -> ResultsComparison:
    paths = folder / "a.json", folder / "b.json"
    for path, scene in zip(paths, (first, second), strict=True):
        path.write_text(json.dumps(scene.results.to_coco()))
    (folder / "gt.json").write_text(json.dumps(first.annotations.to_coco()))
    return compare_results(paths, folder / "gt.json", AnnotatedKeypoints(), BOOTSTRAP, **options)


def with_misses(scene: Scene, person: int, count: int) -> Scene:
    for keypoint in range(count):
        scene = scene.missed(person, keypoint)
    return scene


def test_equal_files_do_not_differ(tmp_path: Path) -> None:
    scene = with_misses(exact_scene(COCO_PERSON), 3, 4)
    found = compare(tmp_path, scene, scene)
    estimates = [*found.metrics.values(), *found.errors.values(), *found.calibration.values()]
    assert len(estimates) == 4 + 10 + 2
    assert all(one.value == one.low == one.high == 0 for one in estimates)
    assert (found.deciding_images, found.deciding_persons) == ((), ())


def test_what_decides_a_difference(tmp_path: Path) -> None:
    scene = exact_scene(COCO_PERSON)
    worse = with_misses(with_misses(scene, 4, 8), 13, 3)
    found = compare(tmp_path, scene, worse)
    ours, theirs = (evaluate_keypoints(one.annotations, one.results, COCO_PERSON) for one in (scene, worse))
    assert found.metrics["AP"].value == pytest.approx(ours.statistics["AP"] - theirs.statistics["AP"])
    assert found.metrics["AP75"].value == pytest.approx(ours.statistics["AP75"] - theirs.statistics["AP75"])
    assert found.metrics["AR"].value == pytest.approx(ours.statistics["AR"] - theirs.statistics["AR"])
    assert [image.image_id for image in found.deciding_images[:2]] == [3, 7]
    assert found.deciding_images[0].effect > found.deciding_images[1].effect > 0
    assert [(one.annotation_id, one.oks[0]) for one in found.deciding_persons] == [(5, 1), (14, 1)]
    assert found.results[1].errors.keypoints["miss"].count == 11
    assert found.errors["miss"].value == pytest.approx(-(1 - theirs.statistics["AP"]))


def test_the_effect_of_an_image_is_that_of_leaving_it_out(tmp_path: Path) -> None:
    scene = exact_scene(COCO_PERSON)
    worse = with_misses(with_misses(scene, 4, 8), 13, 3)
    image = compare(tmp_path, scene, worse).deciding_images[0]
    content = scene.annotations.to_coco()
    content["images"] = [one for one in content["images"] if one["id"] != image.image_id]
    content["annotations"] = [one for one in content["annotations"] if one["image_id"] != image.image_id]
    (tmp_path / "fewer.json").write_text(json.dumps(content))
    paths = tmp_path / "a.json", tmp_path / "b.json"
    fewer = compare_results(paths, tmp_path / "fewer.json", AnnotatedKeypoints(), BOOTSTRAP, subset=True)
    whole = compare_results(paths, tmp_path / "gt.json", AnnotatedKeypoints(), BOOTSTRAP)
    assert whole.metrics["AP"].value is not None
    assert fewer.metrics["AP"].value is not None
    assert image.effect == pytest.approx(whole.metrics["AP"].value - fewer.metrics["AP"].value)


def test_more_images_are_needed_for_noisier_differences(tmp_path: Path) -> None:
    scene, needed = exact_scene(COCO_PERSON, images=20), []
    for misses in (1, 3):
        worse = scene
        for person in range(0, 10, 2):
            worse = with_misses(worse, person, misses)
        needed.append(compare(tmp_path, scene, worse).images_needed)
    assert None not in needed
    assert 20 < needed[0] < needed[1]  # pyright: ignore[reportOptionalOperand]


def test_several_trainings_are_averaged_and_widen_the_interval(tmp_path: Path) -> None:
    scene = exact_scene(COCO_PERSON)
    worse = with_misses(scene, 4, 8)
    one = compare(tmp_path, scene, worse)
    assert (one.trainings, one.trainings_needed) == (1, None)
    files = tmp_path / "a2.json", tmp_path / "b2.json"
    better = with_misses(scene, 4, 3)
    for path, other in zip(files, (scene, better), strict=True):
        path.write_text(json.dumps(other.results.to_coco()))
    two = compare(tmp_path, scene, worse, more=[files])
    aps = [evaluate_keypoints(each.annotations, each.results, COCO_PERSON).statistics["AP"] for each in (worse, better)]
    assert two.trainings == two.metrics["AP"].trainings == 2
    assert two.metrics["AP"].value == pytest.approx(1 - sum(aps) / 2)
    assert two.errors == one.errors
    assert two.metrics["AP"].high is not None
    assert one.metrics["AP"].high is not None
    assert two.metrics["AP"].high > one.metrics["AP"].high
    assert "interval over images and 2 pairs of trainings" in render_comparison(two)
    assert (one.half_widths, one.sign_flip_p) == (None, None)
    assert two.half_widths is not None
    assert min(two.half_widths) >= 0
    assert two.sign_flip_p == 0.5
    assert "sign-flip test over 2 pairs: p = 0.5 (at least 0.5)" in render_comparison(two)


def test_recall_of_all_images_is_that_of_the_evaluation() -> None:
    scene = with_misses(exact_scene(COCO_PERSON), 3, 8).without_prediction(6)
    metrics = evaluate_keypoints(scene.annotations, scene.results, COCO_PERSON)
    found = resample(RecallTable(metrics.matches), 20, seed=0)
    assert found.value == pytest.approx(metrics.statistics["AR"])
    nothing = RecallTable(metrics.matches).accuracy(np.zeros((1, 10), dtype=np.int64))
    assert nothing.tolist() == [-1]


def of_images(scene: Scene, most: int) -> Scene:
    chosen = scene.results.image_ids <= most
    return Scene(scene.annotations, scene.results.select(chosen), scene.skeleton)


def test_a_file_of_a_subset_is_refused_by_name(tmp_path: Path) -> None:
    scene = exact_scene(COCO_PERSON)
    with pytest.raises(InputError, match=r"b\.json: image_id: has predictions in 3 of the 10 images .* --subset"):
        compare(tmp_path, scene, of_images(scene, 3))
    found = compare(tmp_path, scene, of_images(scene, 3), subset=True)
    assert (found.images, found.persons) == (3, 6)
    assert found.metrics["AP"].value == 0
    assert "a subset" in render_comparison(found)


def test_a_few_images_without_predictions_are_printed(tmp_path: Path) -> None:
    scene = exact_scene(COCO_PERSON)
    found = compare(tmp_path, of_images(scene, 8), scene)
    assert (found.images, found.results[0].images_without_predictions) == (10, 2)
    assert "A: 2 images with persons have no prediction" in render_comparison(found)


def test_a_file_for_other_images_is_refused_by_name(tmp_path: Path) -> None:
    scene = exact_scene(COCO_PERSON)
    other = Scene(scene.annotations, scene.results.select(np.arange(20)), COCO_PERSON)
    other.results.image_ids[3] = 99
    with pytest.raises(InputError, match=r"a\.json: image_id: 1 predictions are in images that .*gt\.json does not"):
        compare(tmp_path, other, scene)
    other.results.image_ids[:] += 100
    with pytest.raises(InputError, match=r"a\.json: image_id: none is in an image of .*gt\.json"):
        compare(tmp_path, other, scene)


def test_files_without_a_shared_image_have_no_shared_subset(tmp_path: Path) -> None:
    scene = exact_scene(COCO_PERSON)
    rest = Scene(scene.annotations, scene.results.select(scene.results.image_ids > 5), COCO_PERSON)
    with pytest.raises(InputError, match=r"a\.json: has no prediction in an image in which .*b\.json has one"):
        compare(tmp_path, of_images(scene, 5), rest, subset=True)


def test_all_of_it_is_printed(tmp_path: Path) -> None:
    scene = exact_scene(COCO_PERSON)
    lines = render_comparison(compare(tmp_path, scene, with_misses(scene, 4, 8))).splitlines()
    assert lines[2] == "10 images, 20 persons with labelled keypoints"
    rows = {line.strip().partition("  ")[0]: line.split() for line in lines}
    assert rows["miss"][1:3] == ["0", "8"]
    assert rows["jitter"][1:4] == ["0", "0", "+0.00"]
    assert any(line.startswith("a true difference of 0.5 AP would be clear") for line in lines)
    assert lines[-1].endswith("3.jpg (image 3), id 5")
