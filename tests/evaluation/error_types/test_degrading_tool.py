"""The tool that degrades a results file: every injected error is named, and the untouched file keeps its AP."""

import json
from pathlib import Path

from tests.helpers.injected_errors import exact_scene
from tools.degrade_predictions import degrade, table
from transpose.evaluation.external_annotations import AnnotatedKeypoints
from transpose.evaluation.oks import evaluate_keypoints
from transpose.skeleton import COCO_PERSON


def test_every_injected_error_is_named(tmp_path: Path) -> None:
    scene = exact_scene(COCO_PERSON, images=20).missed(3, 4)
    (tmp_path / "predictions.json").write_text(json.dumps(scene.results.to_coco()))
    (tmp_path / "gt.json").write_text(json.dumps(scene.annotations.to_coco()))
    found = degrade(tmp_path / "predictions.json", tmp_path / "gt.json", AnnotatedKeypoints(), tmp_path / "out")
    ap = evaluate_keypoints(scene.annotations, scene.results, COCO_PERSON).statistics["AP"]
    assert found["untouched"].report.metrics["AP"] == ap
    assert found["jittered"].changed == found["jittered"].named == 68
    assert found["exchanged"].changed == found["exchanged"].named == 64
    for name, kind in (("jittered", "jitter"), ("exchanged", "inversion")):
        before, after = (found[one].report.errors.keypoints[kind].count for one in ("untouched", name))
        assert after - before == found[name].named
    scores = [json.loads((tmp_path / "out" / f"{name}.json").read_text()) for name in ("untouched", "shuffled")]
    first, second = ([record["score"] for record in records] for records in scores)
    assert first != second
    assert sorted(first) == sorted(second)
    assert len(list(table(found))) == 5
    assert {path.stem for path in (tmp_path / "out").iterdir()} == set(found)
