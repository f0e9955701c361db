import json
from pathlib import Path

import numpy as np
import pytest

from transpose.data.mpii_release import MpiiImage, MpiiPerson
from transpose.data.mpii_split import HoldOut, ValidationList, split_images, validation_source
from transpose.errors import InputError


def image(number: int, *centres: tuple[float, float]) -> MpiiImage:
    persons = [MpiiPerson(k, centre, 1.0, 10.0, np.ones((16, 3))) for k, centre in enumerate(centres, start=1)]
    return MpiiImage(number, f"{number}.jpg", True, tuple(persons))


IMAGES = [image(1, (10, 20), (50, 60)), image(2, (30, 30)), image(3), image(4, (5, 5))]


def names(images: list[MpiiImage]) -> list[str]:
    return [image.file_name for image in images]


def test_a_text_list_takes_whole_images(tmp_path: Path):
    path = tmp_path / "valid.txt"
    path.write_text("4.jpg\n\n 1.jpg \n3.jpg\n")
    splits = split_images(IMAGES, ValidationList(path))
    assert (names(splits["train"]), names(splits["val"])) == (["2.jpg"], ["1.jpg", "4.jpg"])
    assert len(splits["val"][0].persons) == 2


def test_the_customary_file_takes_the_persons_at_its_centres(tmp_path: Path):
    path = tmp_path / "valid.json"
    # Its pixels count from 1, as the release's do.
    path.write_text(json.dumps([{"image": "1.jpg", "center": [51.0, 61.0]}, {"image": "2.jpg", "center": [31, 31]}]))
    splits = split_images(IMAGES, ValidationList(path))
    assert [(p.file_name, [q.number for q in p.persons]) for p in splits["val"]] == [("1.jpg", [2]), ("2.jpg", [1])]
    # The other person of a validation image is not trained on.
    assert names(splits["train"]) == ["4.jpg"]


def test_a_json_list_without_centres_takes_whole_images(tmp_path: Path):
    path = tmp_path / "valid.json"
    path.write_text(json.dumps([{"image": "1.jpg"}]))
    assert len(split_images(IMAGES, ValidationList(path))["val"][0].persons) == 2


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([{"image": "9.jpg"}], r"valid\.json: 9\.jpg: image: no training image"),
        ([{"image": "1.jpg", "center": [500, 60]}], r"1\.jpg: center: no usable person of the release is at 500, 60"),
        ([{"image": "3.jpg", "center": [5, 6]}], r"3\.jpg: center: no usable person"),
        ([{"image": "2.jpg", "center": [31, 31]}] * 2, r"2\.jpg: center: no usable person"),
        ([{"image": "1.jpg", "center": [11, 21]}, {"image": "2.jpg"}], r"record\[1\]: center: missing"),
        ([{"center": [1, 2]}], r"record\[0\]: image: missing"),
        ({}, "must be a list"),
    ],
)
def test_wrong_lists_are_refused(tmp_path: Path, records: object, message: str):
    path = tmp_path / "valid.json"
    path.write_text(json.dumps(records))
    with pytest.raises(InputError, match=message):
        split_images(IMAGES, ValidationList(path))


def test_a_held_out_share_depends_on_the_seed_alone():
    images = [image(number, (1, 1)) for number in range(100)]
    splits = [split_images(images, HoldOut(0.2, seed)) for seed in (0, 0, 1)]
    assert all(len(split["val"]) == 20 and len(split["train"]) == 80 for split in splits)
    held_out = [names(split["val"]) for split in splits]
    assert held_out[0] == held_out[1] != held_out[2]
    assert names(split_images(images[::-1], HoldOut(0.2, 0))["val"]) == held_out[0][::-1]
    assert not set(held_out[0]) & set(names(splits[0]["train"]))


def test_one_source_must_be_given():
    assert validation_source(Path("v.txt"), None, 3) == ValidationList(Path("v.txt"))
    assert validation_source(None, 0.1, 3) == HoldOut(0.1, 3)
    for path, share in ((None, None), (Path("v.txt"), 0.1)):
        with pytest.raises(InputError, match="pass either a list of the validation images"):
            validation_source(path, share, 0)
    with pytest.raises(InputError, match="between 0 and 1, not 1"):
        validation_source(None, 1.0, 0)
