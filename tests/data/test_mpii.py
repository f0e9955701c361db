import json
from pathlib import Path

import numpy as np
import pytest

from tests.data.made_up_mpii import all_keypoints, person, write_images, write_release
from transpose.config.load import load_dataset
from transpose.data.boxes import ground_truth_boxes
from transpose.data.coco import load_annotations
from transpose.data.mpii import HoldOut, ValidationList, convert_mpii, split_images, validation_source
from transpose.data.mpii_release import KEYPOINTS, MpiiImage, MpiiPerson
from transpose.errors import InputError
from transpose.geometry import box_to_center_scale

DATASETS = Path(__file__).parents[2] / "config" / "datasets"
MPII = load_dataset("mpii", DATASETS).skeleton


@pytest.fixture
def release(tmp_path: Path) -> Path:
    write_images(tmp_path / "images", {"a.jpg": (90, 120), "b.jpg": (100, 70), "d.jpg": (64, 64)})
    images = [
        ("a.jpg", True, [person(all_keypoints(40, 30)), person(all_keypoints(10, 5), objpos=(4, 88), scale=1.1)]),
        ("b.jpg", True, [{"scale": 1.0}, person({9: (30, 20, "")}, objpos=(30, 40), scale=0.3)]),
        ("c.jpg", False, [{"scale": 1.0}]),
        ("d.jpg", True, []),
    ]
    return write_release(tmp_path / "release.mat", images)


@pytest.fixture
def validation(tmp_path: Path) -> ValidationList:
    path = tmp_path / "valid.txt"
    path.write_text("b.jpg\n")
    return ValidationList(path)


def test_what_is_written_loads_as_a_data_set(tmp_path: Path, release: Path, validation: ValidationList):
    record = convert_mpii(release, tmp_path / "images", validation, tmp_path / "mpii")
    train = load_annotations(tmp_path / "mpii" / "train" / "annotations.json", MPII)
    val = load_annotations(tmp_path / "mpii" / "val" / "annotations.json", MPII)
    assert train.images.sizes_hw.tolist() == [[90, 120]]
    assert (train.persons.annotation_ids.tolist(), val.persons.annotation_ids.tolist()) == ([1001, 1002], [2002])
    assert val.persons.keypoints[0, KEYPOINTS.index("head_top")].tolist() == [29, 19, 2]
    assert (tmp_path / "mpii" / "val" / "images" / "b.jpg").is_file()
    content = json.loads((tmp_path / "mpii" / "train" / "annotations.json").read_text())
    assert [annotation["head_size"] for annotation in content["annotations"]] == pytest.approx([12, 12])
    assert record == json.loads((tmp_path / "mpii" / "conversion.json").read_text())


def test_everything_left_out_is_counted(tmp_path: Path, release: Path, validation: ValidationList):
    record = convert_mpii(release, tmp_path / "images", validation, tmp_path / "mpii")
    assert record["splits"] == {"train": {"images": 1, "persons": 2}, "val": {"images": 1, "persons": 1}}
    assert record["dropped"] == {
        "images": {"test image, without public labels": 1, "without a usable person": 1},
        "persons": {"no labelled keypoint": 1, "of a validation image, but not in the list": 0},
        "keypoints": {},
    }


def test_persons_that_the_list_leaves_out_are_counted(tmp_path: Path, release: Path):
    path = tmp_path / "valid.json"
    path.write_text(json.dumps([{"image": "a.jpg", "center": [60, 50]}]))
    record = convert_mpii(release, tmp_path / "images", ValidationList(path), tmp_path / "mpii")
    assert record["splits"]["val"] == {"images": 1, "persons": 1}
    assert record["dropped"]["persons"]["of a validation image, but not in the list"] == 1


def test_crops_are_the_official_family_s(tmp_path: Path, release: Path, validation: ValidationList):
    convert_mpii(release, tmp_path / "images", validation, tmp_path / "mpii")
    boxes = ground_truth_boxes(load_annotations(tmp_path / "mpii" / "train" / "annotations.json", MPII))
    center, scale = box_to_center_scale(boxes.boxes_xywh, (256, 256))
    # Centre 15 scale further down, scale times 1.25, then pixels from 0; the second frame leaves its image.
    np.testing.assert_allclose(center, [[60 - 1, 50 + 15 * 0.4 - 1], [4 - 1, 88 + 15 * 1.1 - 1]], rtol=0, atol=1e-9)
    np.testing.assert_allclose(scale, [[0.5, 0.5], [1.375, 1.375]], rtol=1e-12)


def test_the_same_again_gives_the_same_bytes_and_follows_moved_images(
    tmp_path: Path, release: Path, validation: ValidationList
):
    folder = tmp_path / "mpii"
    convert_mpii(release, tmp_path / "images", validation, folder)
    before = (folder / "train" / "annotations.json").read_bytes()
    (tmp_path / "images").rename(tmp_path / "moved")
    convert_mpii(release, tmp_path / "moved", validation, folder)
    assert (folder / "train" / "annotations.json").read_bytes() == before
    assert (folder / "train" / "images" / "a.jpg").is_file()


def test_bad_input_leaves_nothing_behind(tmp_path: Path, release: Path, validation: ValidationList):
    (tmp_path / "images" / "a.jpg").unlink()
    with pytest.raises(InputError, match=r"a\.jpg: no such image"):
        convert_mpii(release, tmp_path / "images", validation, tmp_path / "mpii")
    validation.path.write_text("d.jpg\n")
    with pytest.raises(InputError, match="no image with a usable person is left for the split val"):
        convert_mpii(release, tmp_path / "images", validation, tmp_path / "mpii")
    assert not (tmp_path / "mpii").exists()


def test_a_folder_of_the_user_s_own_is_not_replaced(tmp_path: Path, release: Path):
    own = tmp_path / "mpii" / "train" / "images"
    own.mkdir(parents=True)
    (own / "a.jpg").write_bytes(b"mine")
    with pytest.raises(InputError, match="exists and is not a link"):
        convert_mpii(release, tmp_path / "images", HoldOut(0.5, 0), tmp_path / "mpii")
    assert (own / "a.jpg").read_bytes() == b"mine"


def test_the_skeleton_names_the_release_s_keypoints():
    assert MPII.keypoints == KEYPOINTS
    assert sorted(MPII.flip_permutation.tolist()) == list(range(16))
    unpaired = [
        name for name, mirrored in zip(KEYPOINTS, MPII.flip_permutation, strict=True) if name == KEYPOINTS[mirrored]
    ]
    assert unpaired == ["pelvis", "thorax", "upper_neck", "head_top"]


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
