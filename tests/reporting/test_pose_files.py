"""Poses as COCO results and as a table, written image by image."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from transpose.inference.poses import Poses
from transpose.reporting.pose_files import coco_image_ids, pose_files
from transpose.skeleton import COCO_PERSON


def poses(count: int) -> Poses:
    xy = np.arange(count * 34, dtype=float).reshape(count, 17, 2)
    return Poses(COCO_PERSON, xy, np.full((count, 17), 0.25), np.full(count, 0.5), np.ones((count, 4)))


def test_records_come_one_image_after_another(tmp_path: Path) -> None:
    with pose_files(tmp_path) as files:
        for image_id, count in ((3, 2), (5, 0), (8, 1)):
            files.add(image_id, f"{image_id}.png", poses(count))
    text = (tmp_path / "predictions.json").read_text()
    records = json.loads(text)
    assert [record["image_id"] for record in records] == [3, 3, 8]
    assert "track_id" not in records[0]
    assert text == json.dumps(records) + "\n"
    lines = (tmp_path / "keypoints.csv").read_bytes().split(b"\n")
    assert len(lines) == 1 + 3 * 17 + 1
    assert lines[1 + 17] == b"3.png,1,nose,34.000,35.000,0.2500"


def test_a_video_has_numbers_of_frames_and_ids_of_persons(tmp_path: Path) -> None:
    with pose_files(tmp_path) as files:
        files.add(12, "walk.mp4", replace(poses(1), ids=np.array([7])), frame=12)
    (record,) = json.loads((tmp_path / "predictions.json").read_text())
    assert (record["image_id"], record["file_name"], record["track_id"]) == (12, "walk.mp4", 7)
    assert (tmp_path / "keypoints.csv").read_text().splitlines()[1] == "12,7,nose,0.000,1.000,0.2500"


def test_no_person_is_an_empty_list(tmp_path: Path) -> None:
    with pose_files(tmp_path) as files:
        files.add(1, "a.png", poses(0))
    assert json.loads((tmp_path / "predictions.json").read_text()) == []
    assert (tmp_path / "keypoints.csv").read_text() == "image,person,keypoint,x,y,score\n"


def test_images_without_numbers_are_counted() -> None:
    assert list(coco_image_ids([Path("000042.jpg"), Path("7.png")])) == [42, 7]
    assert list(coco_image_ids([Path("7.jpg"), Path("b.jpg")])) == [1, 2]
    assert list(coco_image_ids([Path("7.jpg"), Path("007.jpg")])) == [1, 2]
