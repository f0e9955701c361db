"""AP by crowd index is that of CrowdPose's evaluation."""

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from transpose.data.coco import load_annotations
from transpose.errors import InputError
from transpose.evaluation.crowding import SubsetAP, crowding_aps
from transpose.evaluation.matches import MatchTable
from transpose.evaluation.oks import evaluate_keypoints
from transpose.evaluation.results import write_results
from transpose.skeleton import COCO_PERSON


def with_crowding(scene: Any) -> list[dict[str, Any]]:
    """Give images crowd indices, among them the limits of the subsets."""
    images = scene.content["images"]
    for position, image in enumerate(images):
        image["crowdIndex"] = (0, 0.1, 0.2, 0.5, 0.8, 1.0)[position % 6]
    return images


# It leaves the annotation file open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_it_is_that_of_the_evaluator_in_xtcocotools(make_scene: Callable[..., Any], tmp_path: Path) -> None:
    cocoeval = pytest.importorskip("xtcocotools.cocoeval")
    coco = pytest.importorskip("xtcocotools.coco")
    scene = make_scene(seed=5, images=60)
    images = with_crowding(scene)
    # This evaluator does not know crowds.
    for person in scene.content["annotations"]:
        person["iscrowd"] = 0
    scene.annotation_path.write_text(json.dumps(scene.content))
    write_results(scene.results, tmp_path / "results.json")
    table = evaluate_keypoints(
        load_annotations(scene.annotation_path, COCO_PERSON).numbered(), scene.results, COCO_PERSON
    ).matches
    found = crowding_aps(scene.annotation_path, images, table)
    assert found is not None
    with contextlib.redirect_stdout(io.StringIO()):
        for number, person in enumerate(scene.content["annotations"], start=1):
            person["id"] = number
        scene.annotation_path.write_text(json.dumps(scene.content))
        truth = coco.COCO(str(scene.annotation_path))
        predictions = truth.loadRes(str(tmp_path / "results.json"))
        evaluator = cocoeval.COCOeval(truth, predictions, "keypoints_crowd", sigmas=COCO_PERSON.oks_sigmas)
        evaluator.anno_file = (str(scene.annotation_path), str(tmp_path / "results.json"))
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    # It rounds to four digits.
    assert [subset.ap for subset in found.values()] == pytest.approx(evaluator.stats[6:9], abs=5.1e-5)
    assert {name: subset.images for name, subset in found.items()} == {"easy": 20, "medium": 20, "hard": 20}


def test_all_images_in_one_subset_have_the_ap_of_all(make_scene: Callable[..., Any]) -> None:
    scene = make_scene(seed=6)
    metrics = evaluate_keypoints(load_annotations(scene.annotation_path, COCO_PERSON), scene.results, COCO_PERSON)
    images = [image | {"crowdIndex": 0.9} for image in scene.content["images"]]
    assert crowding_aps(scene.annotation_path, images, metrics.matches) == {
        "easy": SubsetAP(images=0, ap=-1),
        "medium": SubsetAP(images=0, ap=-1),
        "hard": SubsetAP(images=30, ap=metrics.statistics["AP"]),
    }


EMPTY = MatchTable(np.array([3]), np.array([0]), *np.zeros((2, 0)), *np.zeros((2, 0, 10), dtype=bool))


def test_without_crowd_indices_there_are_no_subsets() -> None:
    assert crowding_aps(Path("gt.json"), [{"id": 3}], EMPTY) is None


def test_a_crowd_index_of_another_type_is_one_line() -> None:
    with pytest.raises(InputError, match="image 3: crowdIndex: must be a number"):
        crowding_aps(Path("gt.json"), [{"id": 3, "crowdIndex": "high"}], EMPTY)
