"""Boxes of persons in single images, from the command line and from detection files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from transpose.data.image_boxes import (
    boxes_of_each_image,
    boxes_of_frames,
    boxes_of_image,
    check_boxes_inside,
    parse_boxes,
)
from transpose.errors import InputError
from transpose.files import write_json


def test_a_box_is_four_numbers() -> None:
    np.testing.assert_array_equal(parse_boxes(["1,2,3.5,4", "-1, 0,9,9"]), [[1, 2, 3.5, 4], [-1, 0, 9, 9]])


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "1,2,nan,4", "1,2,inf,4", "1,2,0,4", "1,2,3,-4"])
def test_what_is_no_box_is_one_line(text: str) -> None:
    with pytest.raises(InputError, match=r"^box: .*(must be four numbers|has no width or no height)"):
        parse_boxes(["1,2,3,4", text])


def record(image_id: object, *box: float, **more: object) -> dict[str, Any]:
    return {"image_id": image_id, "bbox": list(box), "score": 0.5, **more}


def test_an_images_persons_are_found_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "boxes.json"
    records = [record("beach", 1, 2, 3, 4), record(790, 5, 6, 7, 8, category_id=1), record("beach", 9, 9, 9, 9)]
    write_json(file, [*records, record("beach", 0, 0, 1, 1, category_id=3), record("beach.jpg", 0, 0, 2, 2)])
    assert boxes_of_image(file, Path("a/beach.jpg")).tolist() == [[1, 2, 3, 4], [9, 9, 9, 9], [0, 0, 2, 2]]
    assert boxes_of_image(file, Path("000000000790.jpg")).tolist() == [[5, 6, 7, 8]]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([record("street", 1, 2, 3, 4)], "image_id: no person in the image beach.jpg: none has the id 'beach'"),
        ([record("beach", 1, 2, 3, 4, category_id=3)], "category_id: none is 1, 'person'"),
        ([], "no person in the image beach.jpg"),
        ([record("beach", 1, 2, 3)], r"record\[0\]: bbox: must have 4 numbers, not 3"),
        ([record("beach", 1, 2, 0, 4)], "no person in the image beach.jpg"),
        ([record(1.5, 1, 2, 3, 4)], r"record\[0\]: image_id: must be an id, a file name or a stem"),
        ([{"bbox": [1, 2, 3, 4]}], r"record\[0\]: image_id: missing"),
        ({"boxes": []}, "must be a list"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, content: object, words: str) -> None:
    write_json(tmp_path / "boxes.json", content)
    with pytest.raises(InputError, match=words):
        boxes_of_image(tmp_path / "boxes.json", Path("beach.jpg"))


@pytest.mark.parametrize("box", [[100, 0, 5, 5], [0, 80, 5, 5], [-5, 0, 5, 5], [0, -9, 5, 5]])
def test_a_box_outside_is_refused_and_one_that_reaches_out_is_not(box: list[float]) -> None:
    check_boxes_inside(np.array([[99, 79, 50, 50], [-4, -4, 5, 5]]), Path("p.jpg"), (80, 100))
    with pytest.raises(InputError, match=r"p.jpg: box .* is outside the image, which is 100x80"):
        check_boxes_inside(np.array([[0, 0, 9, 9], box]), Path("p.jpg"), (80, 100))


def test_each_images_persons_are_read_at_once(tmp_path: Path) -> None:
    file = tmp_path / "boxes.json"
    write_json(file, [record("b", 1, 2, 3, 4), record(7, 5, 6, 7, 8), record("b", 0, 0, 9, 9)])
    images = [Path("a.jpg"), Path("x/b.jpg"), Path("y/b.png"), Path("007.jpg")]
    found = [boxes.tolist() for boxes in boxes_of_each_image(file, images)]
    assert found == [[], [[1, 2, 3, 4], [0, 0, 9, 9]], [[1, 2, 3, 4], [0, 0, 9, 9]], [[5, 6, 7, 8]]]
    with pytest.raises(InputError, match="image_id: no person in any of the 2 images"):
        boxes_of_each_image(file, [Path("c.jpg"), Path("d.jpg")])


def test_frames_are_numbers_from_0(tmp_path: Path) -> None:
    file = tmp_path / "boxes.json"
    write_json(file, [record(2, 1, 2, 3, 4), record(0, 5, 6, 7, 8), record(9, 5, 6, 7, 8)])
    assert [boxes.tolist() for boxes in boxes_of_frames(file, 3)] == [[[5, 6, 7, 8]], [], [[1, 2, 3, 4]]]
    write_json(file, [record(9, 5, 6, 7, 8)])
    with pytest.raises(InputError, match="no person in any frame: the ids of frames are 0 to 2"):
        boxes_of_frames(file, 3)
