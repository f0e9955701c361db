"""Poses of any images as files that are written one image after another."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import ArrayLike

from transpose.config.study import EvalProtocol
from transpose.data.images import read_image
from transpose.errors import InputError
from transpose.inference.poses import Poses
from transpose.reporting.predict_images import ImagePersons, ImagePoses, predict_images
from transpose.skeleton import COCO_PERSON

IMAGE = np.full((80, 220, 3), 90, dtype=np.uint8)
BOX = np.array([[10.0, 10, 180, 60]])


class Spread:
    """Predicts keypoints from one corner of their box, without a margin of 15 % of their own extent, to the other."""

    def __init__(self, **protocol: object) -> None:
        self.protocol = EvalProtocol.model_validate(protocol)

    def predict(self, image: np.ndarray, boxes: ArrayLike | None = None) -> Poses:
        given = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        xy = given[:, None, :2] + np.linspace(0.15, 1.15, 17)[:, None] / 1.3 * given[:, None, 2:]
        return Poses(COCO_PERSON, xy, np.full((len(given), 17), 0.5), np.full(len(given), 0.5), given)


class LeftHalf:
    """Detects one person in the left half of an image."""

    def __init__(self) -> None:
        self.frames = 0

    def find(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.frames += 1
        return np.array([[0.0, 0, image.shape[1] / 2, image.shape[0]]]), np.array([0.8])


@pytest.fixture
def image(tmp_path: Path) -> Path:
    cv2.imwrite(str(tmp_path / "000042.png"), IMAGE)
    return tmp_path / "000042.png"


def predict(*images: ImagePersons, output: Path | None, detector: LeftHalf | None = None) -> list[ImagePoses]:
    found: list[ImagePoses] = []
    predict_images(Spread(), images, detector, found.append, output, 0.2)
    return found


def test_files_have_all_persons_and_overlays_are_as_large_as_images(image: Path, tmp_path: Path) -> None:
    boxes = np.concatenate([BOX, [[0.0, 0, 30, 30]]])
    (found,) = predict(ImagePersons(image, boxes), output=tmp_path / "out")
    records = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert [record["image_id"] for record in records] == [42, 42]
    assert {record["file_name"] for record in records} == {"000042.png"}
    assert records[1]["bbox"] == [0, 0, 30, 30]
    assert records[0]["keypoints"] == found.poses.to_coco(42)[0]["keypoints"]
    overlay = read_image(tmp_path / "out" / "overlays" / "000042.png")
    np.testing.assert_array_equal(overlay, found.poses.draw(IMAGE, 0.2))
    with (tmp_path / "out" / "keypoints.csv").open(newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows[:2] == [
        ["image", "person", "keypoint", "x", "y", "score"],
        ["000042.png", "0", "nose", "30.769", "16.923", "0.5000"],
    ]
    assert len(rows) == 1 + 2 * 17


def test_a_detector_finds_persons_and_scores_them(image: Path) -> None:
    (found,) = predict(ImagePersons(image, None), output=None, detector=LeftHalf())
    assert found.poses.boxes.tolist() == [[0, 0, 110, 80]]
    np.testing.assert_allclose(found.poses.person_scores, 0.5 * 0.8)
    (given,) = predict(ImagePersons(image, BOX), output=None, detector=LeftHalf())
    assert given.poses.boxes.tolist() == BOX.tolist()
    (whole,) = predict(ImagePersons(image, None), output=None)
    assert whole.poses.boxes.tolist() == [[0, 0, 220, 80]]


def test_a_box_score_does_not_count_where_the_protocol_leaves_it_out(image: Path) -> None:
    found: list[ImagePoses] = []
    model = Spread(score="keypoints")
    predict_images(model, [ImagePersons(image, None)], LeftHalf(), found.append, None, 0.2)
    np.testing.assert_allclose(found[0].poses.person_scores, 0.5)


def test_two_images_of_one_name_leave_nothing(image: Path, tmp_path: Path) -> None:
    images = [ImagePersons(image, BOX), ImagePersons(tmp_path / "b" / "000042.jpg", BOX)]
    with pytest.raises(InputError, match=r"000042\.jpg: another image has the same overlay name 000042\.png"):
        predict(*images, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("is_there", [False, True])
def test_a_broken_image_leaves_what_was_there(image: Path, tmp_path: Path, is_there: bool) -> None:
    if is_there:
        predict(ImagePersons(image, BOX), output=tmp_path / "a" / "out")
    before = {path: path.read_bytes() for path in (tmp_path / "a").rglob("*") if path.is_file()}
    assert len(before) == 3 * is_there
    (tmp_path / "b.png").write_text("no image")
    with pytest.raises(InputError, match=r"b\.png: not an image"):
        predict(ImagePersons(image, BOX), ImagePersons(tmp_path / "b.png", BOX), output=tmp_path / "a" / "out")
    assert before == {path: path.read_bytes() for path in (tmp_path / "a").rglob("*") if path.is_file()}
    assert (tmp_path / "a").exists() == is_there


def test_a_box_outside_is_named_with_its_image(image: Path) -> None:
    with pytest.raises(InputError, match=r"000042\.png: box 300,0,5,5: is outside the image, which is 220x80"):
        predict(ImagePersons(image, np.array([[300.0, 0, 5, 5]])), output=None)
