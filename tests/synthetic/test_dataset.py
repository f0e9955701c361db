import contextlib
import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import coco as coco_api
from pycocotools import mask as coco_mask
from pycocotools.cocoeval import COCOeval

from transpose.config.dataset import SyntheticSource
from transpose.errors import InputError
from transpose.skeleton import COCO_PERSON
from transpose.synthetic.dataset import part_labels, renderer_of, synthesise
from transpose.synthetic.render import render, seen_surfaces
from transpose.synthetic.scene import load_bodies, sample_scene

SETTINGS = SyntheticSource(
    image_size=(96, 128), antialias=1, images={"train": 8, "val": 2}, people=(1, 3), smallest_labelled_area=150
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synthetic") / "train"
    synthesise(SETTINGS, "train", out, jobs=1)
    return out


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_bytes_do_not_depend_on_the_number_of_jobs(folder: Path, tmp_path: Path):
    synthesise(SETTINGS, "train", tmp_path / "again", jobs=2)
    assert digests(tmp_path / "again") == digests(folder)
    assert len(digests(folder)) == 9


def test_two_studies_that_render_a_split_at_once_leave_it_whole(folder: Path, tmp_path: Path):
    program = f"""
from pathlib import Path
from transpose.config.dataset import SyntheticSource
from transpose.synthetic.dataset import synthesise
settings = SyntheticSource.model_validate_json({SETTINGS.model_dump_json()!r})
for _ in range(3):
    synthesise(settings, "train", Path({str(tmp_path / "train")!r}), 1)
"""
    running = [subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait() for process in running] == [0, 0]
    assert list(tmp_path.iterdir()) == [tmp_path / "train"]
    assert digests(tmp_path / "train") == digests(folder)


def test_seeds_and_splits_give_different_images():
    settings = [("train", SETTINGS), ("val", SETTINGS), ("train", SETTINGS.model_copy(update={"seed": 1}))]
    images = [renderer_of(each, split).render_image(index)[0] for split, each in settings for index in range(2)]
    assert len(set(images)) == len(images)


def test_more_images_do_not_change_the_first_ones():
    more = SETTINGS.model_copy(update={"images": {"train": 100}})
    assert renderer_of(more, "train").render_image(1) == renderer_of(SETTINGS, "train").render_image(1)


def test_an_unknown_split_is_named(tmp_path: Path):
    with pytest.raises(InputError, match="test: no such split; there are train, val"):
        synthesise(SETTINGS, "test", tmp_path / "test", jobs=1)
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_coco_person_keypoints(folder: Path):
    content = json.loads((folder / "annotations.json").read_text())
    assert content["categories"][0]["keypoints"] == list(COCO_PERSON.keypoints)
    assert sorted(map(tuple, content["categories"][0]["skeleton"])) == sorted(map(tuple, COCO_PERSON.limb_indices + 1))
    for kind in ("images", "annotations"):
        ids = [record["id"] for record in content[kind]]
        assert len(set(ids)) == len(ids)
    for image in content["images"]:
        pixels = cv2.imread(str(folder / "images" / image["file_name"]))
        assert pixels is not None
        assert pixels.shape == (image["height"], image["width"], 3)
    for annotation in content["annotations"]:
        keypoints = np.reshape(annotation["keypoints"], (17, 3))
        assert set(keypoints[:, 2]) <= {0, 1, 2}
        assert annotation["num_keypoints"] == (keypoints[:, 2] > 0).sum()
        assert not keypoints[keypoints[:, 2] == 0].any()
        assert (keypoints[:, :2] <= (SETTINGS.image_size[1] - 1, SETTINGS.image_size[0] - 1)).all()
        assert annotation["area"] == coco_mask.area(annotation["segmentation"])
        x, y, width, height = annotation["bbox"]
        assert 0 <= x < x + width <= SETTINGS.image_size[1]
        assert 0 <= y < y + height <= SETTINGS.image_size[0]


def test_ground_truth_scores_one_against_itself(folder: Path, tmp_path: Path):
    content = json.loads((folder / "annotations.json").read_text())
    people = [each for each in content["annotations"] if each["num_keypoints"] > 0]
    results = [
        {"image_id": each["image_id"], "category_id": 1, "keypoints": each["keypoints"], "score": 0.9}
        for each in people
    ]
    (tmp_path / "results.json").write_text(json.dumps(results))
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco_api.COCO(str(folder / "annotations.json"))
        evaluation = COCOeval(truth, truth.loadRes(str(tmp_path / "results.json")), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert len(people) >= 5
    assert evaluation.stats[0] == pytest.approx(1.0)


def test_part_labels_match_the_masks(folder: Path):
    content = json.loads((folder / "annotations.json").read_text())
    owners, bones, names = part_labels(SETTINGS, "train", 0)
    assert owners.shape == bones.shape == SETTINGS.image_size
    assert bones.max() < len(names)
    assert "head" in names
    first = [each for each in content["annotations"] if each["image_id"] == 1]
    drawn = {(owners == index).sum() for index in range(owners.max() + 1)}
    assert {each["area"] for each in first if not each["iscrowd"]} <= drawn


def test_what_is_seen_does_not_need_the_image():
    scene = sample_scene(load_bodies(), SETTINGS, np.random.default_rng(1))
    rendering = render(scene, SETTINGS.antialias, np.random.default_rng(2))
    seen_without = seen_surfaces(scene, SETTINGS.antialias)
    for seen, drawn in zip(seen_without, (rendering.owners, rendering.depths, rendering.bones), strict=True):
        np.testing.assert_array_equal(seen, drawn)
