"""PCKh against a plain count, person by person and keypoint by keypoint."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from transpose.config.load import load_dataset
from transpose.data.coco import load_annotations
from transpose.errors import InputError
from transpose.evaluation.bootstrap import bootstrap_interval, paired_difference
from transpose.evaluation.pckh import evaluate_pckh, read_hits
from transpose.files import write_npz
from transpose.inference.poses import PoseResults

MPII = load_dataset("mpii", Path(__file__).parents[2] / "config" / "datasets").skeleton
ANKLE, PELVIS, HEAD_TOP = MPII.index("right_ankle"), MPII.index("pelvis"), MPII.index("head_top")


def annotation(number: int, keypoints: np.ndarray, head_size: float = 10.0, image_id: int = 1) -> dict:
    return {
        "id": number,
        "image_id": image_id,
        "category_id": 1,
        "bbox": [0, 0, 50, 50],
        "area": 2500,
        "iscrowd": 0,
        "keypoints": keypoints.ravel().tolist(),
        "num_keypoints": int((keypoints[:, 2] > 0).sum()),
        "head_size": head_size,
    }


def labelled(*numbers: int) -> np.ndarray:
    """[16, 3]: the keypoints at (100, 100), v 1 and 2 by turns."""
    keypoints = np.zeros((16, 3))
    for number in numbers:
        keypoints[number] = 100, 100, 1 + number % 2
    return keypoints


def results(*offsets: dict[int, float], annotation_ids: list[int] | None = None) -> PoseResults:
    """One prediction a person, all keypoints at (100, 100) but for horizontal offsets by keypoint."""
    keypoints = np.full((len(offsets), 16, 3), 100.0)
    for person, places in enumerate(offsets):
        for keypoint, offset in places.items():
            keypoints[person, keypoint, 0] += offset
    ids = np.arange(len(offsets)) if annotation_ids is None else np.array(annotation_ids)
    return PoseResults(np.ones(len(offsets), dtype=np.int64), keypoints, np.ones(len(offsets)), ids)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def make(*annotations: dict, images: tuple[int, ...] = (1,)) -> Path:
        path = tmp_path / "annotations.json"
        records = [{"id": number, "file_name": f"{number}.jpg", "height": 200, "width": 200} for number in images]
        category = {"id": 1, "name": "person", "keypoints": list(MPII.keypoints)}
        path.write_text(json.dumps({"images": records, "annotations": annotations, "categories": [category]}))
        return path

    return make


def test_distances_count_in_head_sizes_and_the_limits_are_exact(write: Callable[..., Path]):
    path = write(*(annotation(k, labelled(ANKLE), head_size=10.0) for k in range(6)))
    places = [0.0, 1.0, 1.05, 1.1, 5.0, 5.01]
    statistics = evaluate_pckh(
        load_annotations(path, MPII), results(*({ANKLE: place} for place in places)), MPII
    ).statistics
    assert statistics["PCKh10"] == pytest.approx(2 / 6)
    # 1.05 and 1.1 lie between 0.10 and 0.11: this is what the official family's "0.1" counts.
    assert statistics["PCKh11"] == pytest.approx(4 / 6)
    assert statistics["PCKh50"] == pytest.approx(5 / 6)


def test_the_unit_is_the_person_s_own_head(write: Callable[..., Path]):
    path = write(annotation(0, labelled(ANKLE), head_size=10.0), annotation(1, labelled(ANKLE), head_size=20.0))
    assert (
        evaluate_pckh(load_annotations(path, MPII), results({ANKLE: 8.0}, {ANKLE: 8.0}), MPII).statistics["PCKh50"]
        == 0.5
    )


def test_the_mean_weighs_keypoints_by_their_count_without_pelvis_and_thorax(write: Callable[..., Path]):
    path = write(annotation(0, labelled(ANKLE, PELVIS, HEAD_TOP)), annotation(1, labelled(ANKLE)))
    metrics = evaluate_pckh(load_annotations(path, MPII), results({HEAD_TOP: 50.0, PELVIS: 50.0}, {}), MPII)
    assert metrics.statistics["PCKh50"] == pytest.approx(2 / 3)
    assert [metrics.keypoints[k].pckh50 for k in (ANKLE, PELVIS, HEAD_TOP)] == [1, 0, 0]
    assert [metrics.keypoints[k].labelled for k in (ANKLE, PELVIS, HEAD_TOP)] == [2, 1, 1]
    assert metrics.keypoints[MPII.index("left_knee")].pckh50 == -1
    assert (metrics.images, metrics.persons, metrics.predictions) == (1, 2, 2)


def test_a_group_is_the_plain_mean_of_its_keypoints(write: Callable[..., Path]):
    right, left = MPII.index("right_ankle"), MPII.index("left_ankle")
    path = write(*(annotation(k, labelled(right, left) if k == 0 else labelled(right)) for k in range(4)))
    statistics = evaluate_pckh(
        load_annotations(path, MPII), results({left: 9.0}, {right: 9.0}, {}, {}), MPII
    ).statistics
    assert statistics["PCKh50_ankle"] == pytest.approx((3 / 4 + 0) / 2)
    assert statistics["PCKh50_head"] == -1
    assert statistics["PCKh50"] == pytest.approx(3 / 5)


def test_figures_agree_with_a_plain_count(write: Callable[..., Path]):
    rng = np.random.default_rng(3)
    visible = [np.concatenate([rng.uniform(0, 99, (16, 2)), rng.integers(0, 3, (16, 1))], axis=1) for _ in range(20)]
    path = write(*(annotation(k, keypoints, head_size=8.0 + k) for k, keypoints in enumerate(visible)))
    predicted = np.stack(visible) + rng.normal(0, 5, (20, 16, 3))
    order = rng.permutation(20)
    metrics = evaluate_pckh(
        load_annotations(path, MPII),
        PoseResults(np.ones(20, dtype=np.int64), predicted[order], np.ones(20), order),
        MPII,
    )
    for name, limit in (("PCKh50", 0.5), ("PCKh11", 0.11), ("PCKh10", 0.1)):
        found = total = 0
        for k in range(20):
            for keypoint in range(16):
                if visible[k][keypoint, 2] and MPII.keypoints[keypoint] not in ("pelvis", "thorax"):
                    total += 1
                    error = np.hypot(*(predicted[k, keypoint, :2] - visible[k][keypoint, :2]))
                    found += error <= limit * (8.0 + k)
        assert metrics.statistics[name] == pytest.approx(found / total, abs=1e-12)


def test_unlabelled_persons_and_crowds_do_not_count(write: Callable[..., Path]):
    crowd = annotation(2, labelled(ANKLE)) | {"iscrowd": 1}
    path = write(annotation(0, labelled(ANKLE)), annotation(1, labelled()), crowd)
    metrics = evaluate_pckh(load_annotations(path, MPII), results({}), MPII)
    assert (metrics.persons, metrics.statistics["PCKh50"]) == (1, 1)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([0], "annotation 1: has 0 predictions"),
        ([0, 1, 1], "annotation 1: has 2 predictions"),
        ([0, 1, 5], "annotation 5: has a prediction, but is not in the file"),
    ],
)
def test_each_person_has_one_prediction(write: Callable[..., Path], ids: list[int], message: str):
    path = write(annotation(0, labelled(ANKLE)), annotation(1, labelled(ANKLE)))
    with pytest.raises(InputError, match=message):
        evaluate_pckh(load_annotations(path, MPII), results(*({} for _ in ids), annotation_ids=ids), MPII)


def test_predictions_in_other_boxes_are_refused(write: Callable[..., Path]):
    path = write(annotation(0, labelled(ANKLE)))
    with pytest.raises(InputError, match="annotation_id: PCKh needs predictions in annotated boxes"):
        evaluate_pckh(load_annotations(path, MPII), replace(results({}), annotation_ids=None), MPII)


@pytest.mark.parametrize(("size", "message"), [(0.0, "must be positive"), (None, "must be a number"), ("x", "number")])
def test_a_wrong_head_size_is_named(write: Callable[..., Path], size: object, message: str):
    path = write(annotation(4, labelled(ANKLE)) | {"head_size": size})
    with pytest.raises(InputError, match=rf"annotation 4: head_size: .*{message}"):
        evaluate_pckh(load_annotations(path, MPII), results({}, annotation_ids=[4]), MPII)


def test_a_missing_head_size_is_named(write: Callable[..., Path]):
    record = annotation(4, labelled(ANKLE))
    del record["head_size"]
    with pytest.raises(InputError, match="annotation 4: head_size: missing"):
        evaluate_pckh(load_annotations(write(record), MPII), results({}, annotation_ids=[4]), MPII)


def test_no_persons_is_minus_one(write: Callable[..., Path]):
    assert evaluate_pckh(load_annotations(write(), MPII), results(), MPII).statistics["PCKh50"] == -1


def test_the_table_of_hits_gives_the_figure_of_any_sample(write: Callable[..., Path], tmp_path: Path):
    path = write(
        annotation(0, labelled(ANKLE, PELVIS), image_id=7),
        annotation(1, labelled(ANKLE, HEAD_TOP), image_id=3),
        annotation(2, labelled(ANKLE), image_id=3),
        images=(7, 3, 5),
    )
    metrics = evaluate_pckh(load_annotations(path, MPII), results({ANKLE: 50.0}, {}, {}), MPII)
    hits = metrics.hits
    assert (hits.image_ids.tolist(), hits.persons.tolist()) == ([3, 5, 7], [2, 0, 1])
    assert hits.accuracy(np.array([[1, 1, 1], [1, 0, 0], [2, 0, 1], [0, 9, 0]])).tolist() == [
        metrics.statistics["PCKh50"],
        1.0,
        6 / 7,
        -1.0,
    ]
    low, high = bootstrap_interval(hits, samples=50, seed=0)
    assert 0 <= low < metrics.statistics["PCKh50"] < high <= 1
    write_npz(tmp_path / "hits.npz", **vars(hits))
    same = paired_difference(read_hits(tmp_path / "hits.npz"), hits, samples=50, seed=0)
    assert (same.value, same.interval()) == (0, (0, 0))
