"""Poses of any images as COCO results and drawn on the images."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from transpose.data.images import read_image
from transpose.errors import InputError
from transpose.inference.poses import Poses
from transpose.reporting.overlay import draw_poses
from transpose.reporting.predict_images import ImagePoses, coco_records, write_predictions
from transpose.skeleton import COCO_PERSON

LEFT_WRIST, LEFT_ELBOW, LEFT_SHOULDER = (COCO_PERSON.index(f"left_{part}") for part in ("wrist", "elbow", "shoulder"))


def poses(*boxes: list[float], found: tuple[int, ...] = (LEFT_WRIST, LEFT_ELBOW, LEFT_SHOULDER)) -> Poses:
    """Persons whose keypoints are in a row of 10 pixels, those `found` being certain and the others nearly unseen."""
    count = len(boxes)
    xy = np.zeros((count, 17, 2))
    xy[:, :, 0], xy[:, :, 1] = 20 + 10 * np.arange(17), 40
    scores = np.full((count, 17), 0.1)
    scores[:, list(found)] = 0.9
    return Poses(COCO_PERSON, xy, scores, np.full(count, 0.5), np.array(boxes))


IMAGE = np.full((80, 220, 3), 90, dtype=np.uint8)
BOX = [10.0, 10, 180, 60]


class TestOverlay:
    def test_found_keypoints_and_their_limbs_are_drawn_and_others_are_not(self) -> None:
        drawn = draw_poses(IMAGE, poses(BOX), 0.2)
        columns = np.flatnonzero((drawn != IMAGE).any(axis=(0, 2)))
        shoulder, wrist = (20 + 10 * keypoint for keypoint in (LEFT_SHOULDER, LEFT_WRIST))
        assert abs(columns.min() - shoulder) <= 5
        assert abs(columns.max() - wrist) <= 5
        # Between elbow and shoulder there is a limb.
        assert set(range(shoulder, wrist)) <= set(columns.tolist())
        assert (IMAGE == 90).all()

    def test_nothing_is_drawn_where_nothing_is_found(self) -> None:
        np.testing.assert_array_equal(draw_poses(IMAGE, poses(BOX), 0.95), IMAGE)

    def test_left_is_orange_and_larger_persons_have_wider_lines(self) -> None:
        assert draw_poses(IMAGE, poses(BOX), 0.2)[40, 20 + 10 * LEFT_WRIST].tolist() == [230, 159, 0]
        small, large = (draw_poses(IMAGE, poses([0.0, 0, side, side]), 0.2) for side in (20, 300))
        heights = [np.flatnonzero((image != IMAGE).any(axis=(1, 2))).size for image in (small, large)]
        assert heights[0] < heights[1]


class TestFiles:
    @pytest.fixture
    def image(self, tmp_path: Path) -> Path:
        cv2.imwrite(str(tmp_path / "000042.png"), IMAGE)
        return tmp_path / "000042.png"

    def test_results_are_cocos_with_names_and_overlays_are_as_large_as_images(
        self, image: Path, tmp_path: Path
    ) -> None:
        found = ImagePoses(image, poses(BOX, [0.0, 0, 30, 30]))
        write_predictions([found], 0.2, tmp_path / "out")
        records = json.loads((tmp_path / "out" / "predictions.json").read_text())
        assert [record["image_id"] for record in records] == [42, 42]
        assert {record["file_name"] for record in records} == {"000042.png"}
        assert records[1]["bbox"] == [0, 0, 30, 30]
        assert records[0]["keypoints"] == found.poses.to_coco(42)[0]["keypoints"]
        overlay = read_image(tmp_path / "out" / "overlays" / "000042.png")
        np.testing.assert_array_equal(overlay, draw_poses(IMAGE, found.poses, 0.2))

    def test_images_without_numbers_are_counted(self) -> None:
        found = [ImagePoses(Path(name), poses(BOX)) for name in ("7.jpg", "b.jpg")]
        assert [record["image_id"] for record in coco_records(found)] == [1, 2]
        found = [ImagePoses(Path(name), poses(BOX)) for name in ("7.jpg", "007.jpg")]
        assert [record["image_id"] for record in coco_records(found)] == [1, 2]

    def test_two_images_of_one_name_leave_nothing(self, image: Path, tmp_path: Path) -> None:
        found = [ImagePoses(image, poses(BOX)), ImagePoses(tmp_path / "b" / "000042.jpg", poses(BOX))]
        with pytest.raises(InputError, match=r"000042\.png: another image has the same overlay name"):
            write_predictions(found, 0.2, tmp_path / "out")
        assert not (tmp_path / "out").exists()
