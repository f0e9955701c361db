import numpy as np
import pytest
from scipy.io import savemat

from tests.data.made_up_mpii import EMPTY, all_keypoints, person, struct_array, write_release
from transpose.data.mpii_release import KEYPOINTS, read_release
from transpose.errors import InputError

WITHOUT_LABELS = {"scale": 2.0, "objpos": struct_array([{"x": 5.0, "y": 6.0}])}


def read_one(tmp_path, *persons):
    return read_release(write_release(tmp_path / "release.mat", [("a.jpg", True, persons), ("b.jpg", False, [])]))


def test_persons_arrive_with_pixels_counted_from_0(tmp_path):
    release = read_one(tmp_path, person(all_keypoints(40, 30), objpos=(60, 50), scale=0.4, head=(50, 20, 62, 36)))
    (found,) = release.images[0].persons
    assert (found.number, found.centre_xy, found.scale) == (1, (59.0, 49.0), 0.4)
    assert found.head_size == pytest.approx(0.6 * 20)
    assert found.keypoints[:, :2].tolist() == [[39 + 4 * (j % 4), 29 + 4 * (j // 4)] for j in range(16)]
    assert not release.dropped_keypoints


def test_only_a_zero_makes_a_keypoint_occluded(tmp_path):
    release = read_one(tmp_path, person(all_keypoints(40, 30)))
    # Keypoints 0 and 1 are marked "0" and 0, 2 and 3 "1" and 1, 8 and 9 not at all.
    assert release.images[0].persons[0].keypoints[:, 2].tolist() == [1, 1, *[2] * 14]


def test_missing_keypoints_are_unlabelled_and_a_single_one_is_read(tmp_path):
    release = read_one(tmp_path, person({7: (9.5, 8.0, "1")}))
    keypoints = release.images[0].persons[0].keypoints
    assert keypoints[7].tolist() == [8.5, 7.0, 2.0]
    assert not keypoints[np.arange(16) != 7].any()


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (WITHOUT_LABELS, "no labelled keypoint"),
        (person({}), "no labelled keypoint"),
        (person(all_keypoints(40, 30)) | {"objpos": EMPTY}, "no position or scale"),
        (person(all_keypoints(40, 30)) | {"scale": EMPTY}, "no position or scale"),
        (person(all_keypoints(40, 30), scale=-1.0), "no position or scale"),
        (person(all_keypoints(40, 30)) | {"x2": EMPTY}, "no head box"),
        (person(all_keypoints(40, 30), head=(5, 5, 5, 5)), "no head box"),
    ],
)
def test_unusable_persons_are_counted_by_reason_and_keep_the_others_numbers(tmp_path, broken, reason):
    release = read_one(tmp_path, broken, person(all_keypoints(40, 30)))
    assert [found.number for found in release.images[0].persons] == [2]
    assert release.dropped_persons == {reason: 1}


def test_unusable_keypoints_are_counted_by_reason(tmp_path):
    broken = person(all_keypoints(40, 30))
    points = broken["annopoints"][0, 0]["point"]
    points[0, 3]["id"], points[0, 4]["id"], points[0, 5]["x"] = 16, 0, EMPTY
    release = read_one(tmp_path, broken)
    assert release.dropped_keypoints == {"unknown id": 1, "labelled before": 1, "no id or no place": 1}
    assert np.flatnonzero(release.images[0].persons[0].keypoints[:, 2] == 0).tolist() == [3, 4, 5]


def test_persons_of_test_images_are_left_out(tmp_path):
    path = write_release(tmp_path / "r.mat", [("a.jpg", False, [WITHOUT_LABELS]), ("b.jpg", True, [])])
    release = read_release(path)
    assert [(image.file_name, image.is_train, image.persons) for image in release.images] == [
        ("a.jpg", False, ()),
        ("b.jpg", True, ()),
    ]
    assert not release.dropped_persons


def test_names_are_those_of_the_16_ids():
    assert (len(KEYPOINTS), KEYPOINTS.index("head_top"), KEYPOINTS.index("left_wrist")) == (16, 9, 15)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "release.mat"
    with pytest.raises(InputError, match=r"release\.mat: no such file"):
        read_release(path)
    path.write_bytes(b"no Matlab file at all" * 20)
    with pytest.raises(InputError, match="not a readable Matlab file"):
        read_release(path)
    savemat(path, {"other": 1})
    with pytest.raises(InputError, match="RELEASE: missing"):
        read_release(path)
    savemat(path, {"RELEASE": struct_array([{"annolist": struct_array([{"image": 1}]), "img_train": [[1, 0]]}])})
    with pytest.raises(InputError, match="1 images, but img_train has 2 entries"):
        read_release(path)
    savemat(path, {"RELEASE": struct_array([{"annolist": struct_array([{"image": 1}]), "img_train": [[1]]}])})
    with pytest.raises(InputError, match=r"annolist\(1\): image\.name: missing"):
        read_release(path)
