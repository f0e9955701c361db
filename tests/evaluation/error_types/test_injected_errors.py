"""Each type of error is found where it was injected, and nothing else, with any number of keypoints."""

from collections.abc import Callable

import pytest

from tests.helpers.injected_errors import SKELETONS, Scene, exact_scene
from transpose.config.bootstrap import Bootstrap
from transpose.evaluation.error_types.mended import APGains
from transpose.evaluation.error_types.report import ErrorTypes, diagnose, error_types
from transpose.evaluation.oks import evaluate_keypoints
from transpose.skeleton import Skeleton

BOOTSTRAP = Bootstrap(samples=40, seed=0)

pytestmark = pytest.mark.parametrize("skeleton", SKELETONS, ids=lambda skeleton: skeleton.name)


def errors_of(scene: Scene, with_groups: bool = False) -> ErrorTypes:
    found = diagnose(scene.annotations, scene.results, scene.skeleton)
    return error_types(APGains.of(found, BOOTSTRAP), with_groups)


def counts(report: ErrorTypes) -> dict[str, int]:
    """All counts that are not zero."""
    found = {
        name: one.count for part in (report.keypoints, report.predictions, report.scores) for name, one in part.items()
    }
    return {name: count for name, count in found.items() if count}


def ap(scene: Scene) -> float:
    return evaluate_keypoints(scene.annotations, scene.results, scene.skeleton).statistics["AP"]


def test_exact_predictions_have_no_error(skeleton: Skeleton) -> None:
    report = errors_of(exact_scene(skeleton), with_groups=True)
    assert counts(report) == {}
    assert (report.good, report.correct, report.ignored) == (20 * len(skeleton), 20, 0)
    assert all(one.value == one.low == one.high == 0 for one in report.keypoints.values())
    assert report.groups is not None
    gains = [group.ap_gain for groups in report.groups.values() for group in groups.values()]
    assert all(gain.value == 0 and gain.count == 0 for gain in gains)


@pytest.mark.parametrize(
    ("inject", "expected"),
    [
        (lambda scene: scene.jittered(0, 1).jittered(5, 2, 0.51).jittered(3, 0, 0.84), {"jitter": 3}),
        (lambda scene: scene.jittered(0, 1, 0.86), {}),
        (lambda scene: scene.inverted(2, 1).inverted(7, 3), {"inversion": 4}),
        (lambda scene: scene.swapped(4, 0).swapped(5, 2).swapped(9, 1), {"swap": 3}),
        (lambda scene: scene.missed(1, 4), {"miss": 1}),
        (
            lambda scene: scene.jittered(0, 1).inverted(2, 1).swapped(4, 0).missed(6, 4),
            {"jitter": 1, "inversion": 2, "swap": 1, "miss": 1},
        ),
    ],
)
def test_keypoint_errors(skeleton: Skeleton, inject: Callable[[Scene], Scene], expected: dict[str, int]) -> None:
    report = errors_of(inject(exact_scene(skeleton)))
    # Predictions with errors come before better ones, so their scores are wrong too.
    found = {name: count for name, count in counts(report).items() if name != "order"}
    assert found == expected
    assert report.good == 20 * len(skeleton) - sum(expected.values())


def test_an_undetected_person(skeleton: Skeleton) -> None:
    scene = exact_scene(skeleton).without_prediction(3)
    report = errors_of(scene)
    assert counts(report) == {"undetected": len(skeleton)}
    assert report.keypoints["undetected"].value == pytest.approx(1 - ap(scene))


def test_a_duplicate(skeleton: Skeleton) -> None:
    scene = exact_scene(skeleton).with_prediction(like=2, score=0.7)
    report = errors_of(scene)
    assert counts(report) == {"duplicate": 1, "order": 1}
    assert report.predictions["duplicate"].value == pytest.approx(1 - ap(scene))


def test_a_background_prediction(skeleton: Skeleton) -> None:
    scene = exact_scene(skeleton).with_prediction(like=2, score=0.7, offset=5000)
    report = errors_of(scene)
    assert counts(report) == {"background": 1, "order": 1}
    assert report.predictions["background"].value == pytest.approx(1 - ap(scene))


def test_a_badly_located_person(skeleton: Skeleton) -> None:
    scene = exact_scene(skeleton)
    wrong = list(range(len(skeleton) - len(skeleton) // 4))[: len(skeleton) - 1]
    for keypoint in wrong:
        scene = scene.missed(19, keypoint)
    report = errors_of(scene)
    assert counts(report) == {"miss": len(wrong), "localisation": 1}
    for gain in (report.keypoints["miss"], report.predictions["localisation"]):
        assert gain.value == pytest.approx(1 - ap(scene))


def test_a_best_prediction_behind_a_worse_one(skeleton: Skeleton) -> None:
    scene = exact_scene(skeleton).with_prediction(like=19, score=0.45)
    scene = scene.missed(19, 1).missed(19, 2)
    report = errors_of(scene)
    assert counts(report) == {"miss": 2, "duplicate": 1, "best_of_person": 1}
    assert report.scores["best_of_person"].value == pytest.approx(ap(exact_scene(skeleton)) - ap(scene))


def test_scores_in_the_wrong_order(skeleton: Skeleton) -> None:
    scene = exact_scene(skeleton).missed(19, 1).missed(19, 2)
    assert counts(errors_of(scene)) == {"miss": 2}
    scene.results.scores[19] = 0.95
    report = errors_of(scene)
    assert counts(report) == {"miss": 2, "order": 1}
    gain = report.scores["order"].value
    assert gain is not None
    assert gain > 0


def test_a_group_with_all_errors_of_a_class_has_its_gain_and_interval(skeleton: Skeleton) -> None:
    report = errors_of(exact_scene(skeleton).jittered(0, 1, 0.6).jittered(5, 1, 0.55), with_groups=True)
    assert report.groups is not None
    groups = report.groups["keypoint"]
    gain = groups[skeleton.keypoints[1]].ap_gain
    assert gain == report.keypoints["jitter"]
    assert gain.low is not None
    assert [name for name, group in groups.items() if group.ap_gain.count] == [skeleton.keypoints[1]]
