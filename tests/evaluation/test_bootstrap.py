import numpy as np
import pytest

from transpose.data.coco import load_annotations
from transpose.evaluation import bootstrap
from transpose.evaluation.bootstrap import bootstrap_interval, paired_difference, resample
from transpose.evaluation.intervals import Resamples
from transpose.evaluation.matches import average_precisions
from transpose.evaluation.oks import evaluate_keypoints
from transpose.inference.poses import PoseResults
from transpose.skeleton import COCO_PERSON


@pytest.fixture
def table(make_scene):
    scene = make_scene(seed=30, images=50)
    return evaluate_keypoints(load_annotations(scene.annotation_path, COCO_PERSON), scene.results, COCO_PERSON).matches


@pytest.fixture
def better_table(make_scene):
    scene = make_scene(seed=30, images=50)
    persons = [person for person in scene.content["annotations"] if person["num_keypoints"]][::2]
    results = PoseResults(
        image_ids=np.array([person["image_id"] for person in persons]),
        keypoints=np.array([person["keypoints"] for person in persons]).reshape(-1, 17, 3),
        scores=np.full(len(persons), 2.0),
    )
    both = PoseResults(
        *(
            np.concatenate((getattr(results, name), getattr(scene.results, name)))
            for name in ("image_ids", "keypoints", "scores")
        )
    )
    return evaluate_keypoints(load_annotations(scene.annotation_path, COCO_PERSON), both, COCO_PERSON).matches


def ends(found: Resamples) -> tuple[float, float, float]:
    interval = found.interval()
    assert interval is not None
    assert found.value is not None
    return interval[0], found.value, interval[1]


def test_the_estimate_and_the_resamples_are_the_metric_of_weighted_images(table):
    found = resample(table, samples=20, seed=1)
    assert found.value == average_precisions(table, np.ones((1, 50), dtype=int))[0]
    rng = np.random.default_rng(1)
    expected = [average_precisions(table, rng.multinomial(50, np.full(50, 1 / 50))[None])[0] for _ in range(20)]
    assert found.draws.tolist() == [pytest.approx(expected)]
    assert found.images == (table.persons > 0).sum()


def test_a_higher_level_is_wider(table):
    low, high = bootstrap_interval(table, samples=200, seed=1, level=0.8)
    wide = bootstrap_interval(table, samples=200, seed=1, level=0.95)
    assert 0 <= wide[0] < low < average_precisions(table, np.ones((1, 50), dtype=int))[0] < high < wide[1] <= 1


def test_blocks_change_nothing_and_seeds_do(table, monkeypatch):
    whole = bootstrap_interval(table, samples=50, seed=2)
    assert bootstrap_interval(table, samples=50, seed=3) != whole
    monkeypatch.setattr(bootstrap, "_CELLS_AT_ONCE", 1)
    assert bootstrap_interval(table, samples=50, seed=2) == whole


def test_a_difference_to_itself_is_exactly_nothing(table):
    same = paired_difference(table, table, samples=50, seed=0)
    assert (same.value, same.interval()) == (0, (0, 0))


def test_a_paired_difference_is_antisymmetric_and_narrower_than_its_parts(table, better_table):
    found = paired_difference(better_table, table, samples=300, seed=0)
    (low, value, high), once = ends(found), np.ones((1, 50), dtype=int)
    assert value == average_precisions(better_table, once)[0] - average_precisions(table, once)[0]
    assert 0 < low < value < high
    other = paired_difference(table, better_table, samples=300, seed=0)
    assert ends(other) == pytest.approx((-high, -value, -low))
    intervals = [bootstrap_interval(side, samples=300, seed=0) for side in (table, better_table)]
    assert high - low < sum(upper - lower for lower, upper in intervals)


def test_other_images_cannot_be_paired(table, make_scene):
    scene = make_scene(seed=31, images=50)
    other = evaluate_keypoints(load_annotations(scene.annotation_path, COCO_PERSON), scene.results, COCO_PERSON).matches
    with pytest.raises(ValueError, match="same images"):
        paired_difference(table, other, samples=10, seed=0)


@pytest.mark.parametrize("images", [0, 3])
def test_no_persons_is_minus_one_as_in_the_evaluator(images, make_scene, no_results):
    import json

    scene = make_scene(images=3)
    content = scene.content | {"images": scene.content["images"][:images], "annotations": []}
    scene.annotation_path.write_text(json.dumps(content))
    empty = evaluate_keypoints(load_annotations(scene.annotation_path, COCO_PERSON), no_results, COCO_PERSON).matches
    assert bootstrap_interval(empty, samples=10, seed=0) == (-1, -1)
    nothing = paired_difference(empty, empty, samples=10, seed=0)
    assert (nothing.value, nothing.interval()) == (None, None)
