"""Write predicted poses as COCO results and as a table of keypoints, image by image."""

import csv
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from transpose.files import atomic_paths
from transpose.inference.poses import Poses

COLUMNS = ("image", "person", "keypoint", "x", "y", "score")


class PoseFiles:
    """`predictions.json` and `keypoints.csv`, in progress."""

    def __init__(self, records: TextIO, table: TextIO) -> None:
        self._records = records
        self._table = csv.writer(table, lineterminator="\n")
        self._table.writerow(COLUMNS)
        self._before_record = "["

    def add(self, image_id: int, file_name: str, poses: Poses, frame: int | None = None) -> None:
        """Append the poses of an image.

        Args:
            frame: number of a video's frame, which is the `image` of the table; None for an image file.
        """
        for record in coco_records(image_id, file_name, poses):
            self._records.write(self._before_record + json.dumps(record, allow_nan=False))
            self._before_record = ", "
        image = file_name if frame is None else frame
        for person, points, scores in zip(poses.persons, poses.xy.tolist(), poses.scores.tolist(), strict=True):
            for keypoint, (x, y), score in zip(poses.skeleton.keypoints, points, scores, strict=True):
                self._table.writerow((image, person, keypoint, f"{x:.3f}", f"{y:.3f}", f"{score:.4f}"))

    def end(self) -> None:
        """Complete the list of records."""
        self._records.write("]\n" if self._before_record != "[" else "[]\n")


@contextmanager
def pose_files(folder: Path) -> Iterator[PoseFiles]:
    """Yield a writer of `predictions.json` and `keypoints.csv`, which replace the folder's at the end.

    Raises:
        InputError: a file cannot be written; existing files stay.
    """
    with (
        atomic_paths(folder / "predictions.json", folder / "keypoints.csv") as (records_path, table_path),
        records_path.open("w", encoding="utf-8") as records,
        table_path.open("w", encoding="utf-8", newline="") as table,
    ):
        files = PoseFiles(records, table)
        yield files
        files.end()


def coco_records(image_id: int, file_name: str, poses: Poses) -> list[dict[str, Any]]:
    """Return COCO results with the extra fields `file_name` and `bbox`, and `track_id` for persons with ids."""
    records = [
        record | {"file_name": file_name, "bbox": box}
        for record, box in zip(poses.to_coco(image_id), poses.boxes.tolist(), strict=True)
    ]
    if poses.ids is not None:
        for record, number in zip(records, poses.persons, strict=True):
            record["track_id"] = number
    return records


def coco_image_ids(images: Sequence[Path]) -> Sequence[int]:
    """Return the number in each file name, as in COCO.

    If a name is not a number, or two numbers are equal, return the positions of the images, counted from 1.
    """
    stems = [image.stem for image in images]
    numbers = [int(stem) for stem in stems if stem.isascii() and stem.isdecimal()]
    return numbers if len(set(numbers)) == len(images) else range(1, len(images) + 1)
