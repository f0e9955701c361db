"""The evaluation of joined keypoint fields, as a whole and of each part, is that of COCO-WholeBody in xtcocotools."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from transpose.config.bootstrap import Bootstrap
from transpose.config.load import load_dataset
from transpose.errors import InputError
from transpose.evaluation.external_annotations import AnnotatedKeypoints
from transpose.evaluation.external_evaluation import ExternalReport, evaluate_results

DATASET = load_dataset("coco_wholebody", Path(__file__).parents[2] / "config" / "datasets")
ANNOTATED = AnnotatedKeypoints(DATASET.skeleton, fields=DATASET.keypoint_fields)
KINDS = {
    "keypoints": "keypoints",
    "foot_kpts": "keypoints_foot",
    "face_kpts": "keypoints_face",
    "lefthand_kpts": "keypoints_lefthand",
    "righthand_kpts": "keypoints_righthand",
}
"""Keypoint field -> evaluation in xtcocotools."""
SIZES = (17, 6, 68, 21, 21)

Record = dict[str, Any]


def fields_of(points: np.ndarray) -> Record:
    """Split points [133, 3] into the fields of COCO-WholeBody."""
    parts = np.split(points, np.cumsum(SIZES)[:-1])
    return {field: part.ravel().tolist() for field, part in zip(KINDS, parts, strict=True)}


def scene() -> tuple[Record, list[Record]]:
    """Persons with parts that are not labelled, a crowd, and predictions at many distances from them."""
    rng = np.random.default_rng(0)
    content: Record = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "person"}]}
    results = []
    for number in range(60):
        image, corner, sides = 1 + number // 3, rng.uniform(0, 300, 2), rng.uniform(40, 200, 2)
        points = np.column_stack((corner + rng.random((133, 2)) * sides, rng.integers(0, 3, 133)))
        for start, stop in ((17, 23), (23, 91), (91, 112), (112, 133)):
            points[start:stop] *= rng.random() < 0.6
        points[:, :2] *= points[:, 2:] > 0
        if number % 3 == 0:
            content["images"].append({"id": image, "file_name": f"{image}.jpg", "height": 500, "width": 500})
        content["annotations"].append(
            {
                "id": 1 + number,
                "image_id": image,
                "category_id": 1,
                "bbox": [*corner.tolist(), *sides.tolist()],
                "area": 0.6 * float(sides.prod()),
                "iscrowd": int(number == 7),
                "num_keypoints": int((points[:17, 2] > 0).sum()),
                **fields_of(points),
            }
        )
        for error in rng.exponential((2.0, 6.0)):
            predicted = np.column_stack((points[:, :2] + rng.normal(0, error, (133, 2)), rng.uniform(0.1, 1, 133)))
            score = float(rng.random())
            results.append({"image_id": image, "category_id": 1, "score": score, **fields_of(predicted)})
    return content, results


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Annotations and results."""
    folder = tmp_path_factory.mktemp("wholebody")
    for name, content in zip(("annotations", "results"), scene(), strict=True):
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder / "annotations.json", folder / "results.json"


@pytest.fixture(scope="module")
def report(files: tuple[Path, Path]) -> ExternalReport:
    """Our evaluation."""
    annotations, results = files
    bootstrap = Bootstrap(samples=5, seed=0)
    return evaluate_results(results, annotations, ANNOTATED, bootstrap)


# It leaves the annotation file open.
@pytest.mark.filterwarnings("ignore")
def by_xtcocotools(files: tuple[Path, Path], kind: str, sigmas: np.ndarray) -> np.ndarray:
    """The ten figures of an evaluation in xtcocotools."""
    cocoeval, coco = pytest.importorskip("xtcocotools.cocoeval"), pytest.importorskip("xtcocotools.coco")
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco.COCO(str(files[0]))
        evaluator = cocoeval.COCOeval(truth, truth.loadRes(str(files[1])), kind, sigmas=sigmas)
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return evaluator.stats


@pytest.mark.filterwarnings("ignore")
def test_the_whole_is_evaluated_as_by_xtcocotools(files: tuple[Path, Path], report: ExternalReport) -> None:
    stats = by_xtcocotools(files, "keypoints_wholebody", DATASET.skeleton.oks_sigmas)
    ours = np.array(list(report.metrics.values()))
    assert 0.2 < ours[0] < 0.9
    # Without APM and APL, which depend on areas of predictions: there those of the body, here those of all keypoints.
    same = [0, 1, 2, 5, 6, 7, 8, 9]
    np.testing.assert_allclose(ours[same], stats[same], atol=1e-12)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("field", KINDS)
def test_each_part_is_evaluated_as_by_xtcocotools(field: str, files: tuple[Path, Path], report: ExternalReport) -> None:
    assert report.parts is not None
    starts = dict(zip(KINDS, np.cumsum((0, *SIZES)), strict=False))
    part = report.parts[field]
    sigmas = DATASET.skeleton.oks_sigmas[starts[field] :][: part.keypoints]
    stats = by_xtcocotools(files, KINDS[field], sigmas)
    assert 0 < part.persons < 60
    np.testing.assert_allclose((part.ap, part.ar), stats[[0, 5]], atol=1e-12)


def test_fields_have_the_same_number_of_points_in_all_records(tmp_path: Path) -> None:
    content, results = scene()
    person = content["annotations"][1]
    person["foot_kpts"], person["face_kpts"] = person["foot_kpts"][3:], person["face_kpts"] + [0, 0, 0]
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    (tmp_path / "results.json").write_text(json.dumps(results))
    with pytest.raises(InputError, match="annotation 2: foot_kpts: must have 18 numbers, as in other records, not 15"):
        evaluate_results(
            tmp_path / "results.json",
            tmp_path / "annotations.json",
            ANNOTATED,
            Bootstrap(samples=5, seed=0),
        )
