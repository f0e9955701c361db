from dataclasses import fields

import numpy as np
import pytest

from transpose.data.coco import load_annotations
from transpose.errors import InputError
from transpose.evaluation.matches import MatchTable, average_precisions, read_matches
from transpose.evaluation.oks import evaluate_keypoints
from transpose.files import write_npz
from transpose.inference.poses import PoseResults
from transpose.skeleton import COCO_PERSON


@pytest.mark.parametrize("seed", range(4))
def test_with_weights_of_one_it_is_the_official_precision(seed, make_scene):
    scene = make_scene(seed, images=25)
    metrics = evaluate_keypoints(load_annotations(scene.annotation_path, COCO_PERSON), scene.results, COCO_PERSON)
    once = np.ones((1, metrics.images), dtype=int)
    assert average_precisions(metrics.matches, once)[0] == pytest.approx(metrics.statistics["AP"], abs=1e-12)


def test_a_weight_is_a_number_of_copies(make_scene, tmp_path):
    import json

    scene = make_scene(seed=20, images=25)
    rng = np.random.default_rng(0)
    # Equal scores in two images would be ordered by the copies' numbers.
    scene.results.scores[:] = rng.permutation(len(scene.results)) / len(scene.results)
    table = evaluate_keypoints(load_annotations(scene.annotation_path, COCO_PERSON), scene.results, COCO_PERSON).matches
    weights = rng.integers(0, 4, (3, 25))
    for sample, measured in zip(weights, average_precisions(table, weights), strict=True):
        times = dict(zip(table.image_ids.tolist(), sample.tolist(), strict=True))
        path = tmp_path / "copies.json"
        path.write_text(json.dumps(_copied_annotations(scene.content, times)))
        copied = _copied_results(scene.results, times)
        official = evaluate_keypoints(load_annotations(path, COCO_PERSON), copied, COCO_PERSON).statistics["AP"]
        assert measured == pytest.approx(official, abs=1e-12)


def _copied_annotations(content, times):
    def copies(records, key):
        return [record | {key: 100 * record[key] + copy} for record in records for copy in range(times[record[key]])]

    persons = [person | {"id": number} for number, person in enumerate(copies(content["annotations"], "image_id"))]
    return content | {"images": copies(content["images"], "id"), "annotations": persons}


def _copied_results(results, times):
    repeats = [times[image_id] for image_id in results.image_ids.tolist()]
    rows = np.repeat(np.arange(len(results)), repeats)
    copy = np.concatenate([np.arange(count) for count in repeats])
    return PoseResults(100 * results.image_ids[rows] + copy, results.keypoints[rows], results.scores[rows])


def test_a_sample_without_persons_is_minus_one_and_one_without_results_is_zero(make_scene, no_results):
    scene = make_scene()
    empty = evaluate_keypoints(load_annotations(scene.annotation_path, COCO_PERSON), no_results, COCO_PERSON).matches
    weights = np.stack((np.ones(30, dtype=int), np.zeros(30, dtype=int)))
    assert average_precisions(empty, weights).tolist() == [0, -1]


def test_tables_read_back_exactly(make_scene, tmp_path):
    scene = make_scene()
    table = evaluate_keypoints(load_annotations(scene.annotation_path, COCO_PERSON), scene.results, COCO_PERSON).matches
    write_npz(tmp_path / "matches.npz", **vars(table))
    again = read_matches(tmp_path / "matches.npz")
    for field in fields(MatchTable):
        written, read = getattr(table, field.name), getattr(again, field.name)
        np.testing.assert_array_equal(read, written)
        assert read.dtype == written.dtype


def test_other_files_are_refused(tmp_path):
    np.savez(tmp_path / "other.npz", images=np.zeros(3))
    (tmp_path / "text.npz").write_text("text")
    for name in ("other.npz", "text.npz", "missing.npz"):
        with pytest.raises(InputError, match=name):
            read_matches(tmp_path / name)
