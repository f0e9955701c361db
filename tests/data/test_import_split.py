"""A user's split is written as plain COCO, checked, or refused before anything trains on it."""

import json
import multiprocessing
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.helpers.torso_data import TORSO, Content, torso_content, torso_dataset, torso_folder
from transpose.data.box_sources import source_boxes
from transpose.data.coco import load_annotations, parse_annotations
from transpose.data.image_source import image_source_of, point_to_zip
from transpose.data.images import ImageFiles
from transpose.data.import_split import folder_source, import_split, read_split, unusable_reason
from transpose.data.split_check import imported_check
from transpose.errors import InputError


def damage(folder: Path) -> None:
    """Cut the first image short."""
    path = folder / "images" / "p001.png"
    path.write_bytes(path.read_bytes()[:-40])


def test_a_plain_split_is_written_as_it_is(tmp_path: Path) -> None:
    folder, output = torso_folder(tmp_path / "mine"), tmp_path / "imported" / "annotations.json"
    check = import_split(torso_dataset(folder), "val", 2, output)
    assert (check.images, check.persons, check.derived, check.left_out, check.warnings) == (2, 4, {}, {}, [])
    written, plain = json.loads(output.read_text()), torso_content()
    assert (written["images"], written["annotations"]) == (plain["images"], plain["annotations"])
    assert imported_check(output) == check
    loaded = load_annotations(output, TORSO)
    assert ImageFiles(image_source_of(output), loaded.images).read(1).shape == (120, 160, 3)


def test_the_crowd_index_of_an_image_is_kept(tmp_path: Path) -> None:
    def edit(content: Content) -> None:
        content["images"][1]["crowdIndex"] = 0.5

    folder, output = torso_folder(tmp_path / "mine", edit), tmp_path / "imported" / "annotations.json"
    import_split(torso_dataset(folder), "val", 1, output)
    assert [image.get("crowdIndex") for image in json.loads(output.read_text())["images"]] == [None, 0.5]


def test_two_studies_that_import_a_split_at_once_leave_it_whole(tmp_path: Path) -> None:
    dataset, together = torso_dataset(torso_folder(tmp_path / "mine")), tmp_path / "together" / "annotations.json"
    import_split(dataset, "val", 1, tmp_path / "alone" / "annotations.json")

    def import_often() -> None:
        for _ in range(20):
            import_split(dataset, "val", 1, together)

    running = [multiprocessing.get_context("fork").Process(target=import_often) for _ in range(2)]
    for process in running:
        process.start()
    for process in running:
        process.join()
    assert [process.exitcode for process in running] == [0, 0]
    alone = tmp_path / "alone"
    assert {path.name for path in together.parent.iterdir()} == {path.name for path in alone.iterdir()}
    for path in alone.iterdir():
        assert (together.parent / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("images", "annotations"), [(".", "_annotations.coco.json"), ("train/photos", "labels/train.json")]
)
def test_the_layout_of_an_export_is_configured(tmp_path: Path, images: str, annotations: str) -> None:
    folder = torso_folder(tmp_path / "mine")
    for image in (folder / "images").iterdir():
        (folder / images).mkdir(parents=True, exist_ok=True)
        image.rename(folder / images / image.name)
    (folder / annotations).parent.mkdir(parents=True, exist_ok=True)
    (folder / "annotations.json").rename(folder / annotations)
    dataset = torso_dataset(Path(f"{folder}/"), {"images": images, "annotations": annotations})
    assert import_split(dataset, "val", 1, tmp_path / "imported" / "annotations.json").persons == 4


def test_home_and_variables_in_a_folder_are_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torso_folder(tmp_path / "mine")
    monkeypatch.setenv("HOME", str(tmp_path))
    for folder in ("~/mine/", "$HOME/mine", "$HOME//mine/."):
        assert read_split(folder_source(torso_dataset(Path(folder)), "val"), 1, decode=False).check.persons == 4


@pytest.mark.parametrize("is_missing", [False, True])
def test_an_image_that_cannot_be_read_is_refused_or_left_out(tmp_path: Path, is_missing: bool) -> None:
    folder, output = torso_folder(tmp_path / "mine"), tmp_path / "imported" / "annotations.json"
    damage(folder)
    if is_missing:
        (folder / "images" / "p001.png").unlink()
    problem = "no such image" if is_missing else "the image is truncated"
    with pytest.raises(InputError, match=f"p001.png: {problem}; `unreadable_images: skip` leaves them out"):
        import_split(torso_dataset(folder), "val", 1, output)
    assert not output.parent.exists()
    dataset = torso_dataset(folder, {"unreadable_images": "skip"})
    check = import_split(dataset, "val", 1, output)
    assert (check.images, check.persons, check.left_out) == (1, 2, {"unusable_image": 2})
    assert check.unusable_images == {"p001.png": problem}
    assert [warning.kind for warning in check.warnings] == ["missing_image" if is_missing else "unreadable_image"]
    _, counts = source_boxes(dataset, "val", "ground_truth", load_annotations(output, TORSO), None)
    assert (counts.unreadable_images, counts.images) == (1, 1)


def test_an_image_that_only_decoding_finds_broken_is_found_by_the_import(tmp_path: Path) -> None:
    folder = torso_folder(tmp_path / "mine")
    path = folder / "images" / "p002.png"
    data = bytearray(path.read_bytes())
    data[60:4000] = bytes(3940)
    path.write_bytes(data)
    source = folder_source(torso_dataset(folder), "val")
    assert read_split(source, 1, decode=False).check.images == 2
    assert list(read_split(source, 1, decode=True).check.unusable_images) == ["p002.png"]


def unlabelled(content: Content) -> None:
    for record in content["annotations"]:
        record |= {"keypoints": [0] * 15, "num_keypoints": 0}


def test_a_split_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    folder = torso_folder(tmp_path / "mine", unlabelled)
    with pytest.raises(InputError, match="no person has a labelled keypoint"):
        import_split(torso_dataset(folder), "val", 1, tmp_path / "annotations.json")
    empty = torso_folder(tmp_path / "empty")
    for image in (empty / "images").iterdir():
        image.write_bytes(b"")
    found = read_split(folder_source(torso_dataset(empty), "val"), 1, decode=False)
    assert unusable_reason(found) == "no image can be read; the first, p001.png: the image is empty"


def test_images_in_an_archive_stay_there(tmp_path: Path) -> None:
    folder = torso_folder(tmp_path / "mine")
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for image in (folder / "images").iterdir():
            archive.write(image, f"all/{image.name}")
            image.unlink()
    point_to_zip(folder / "annotations.json", tmp_path / "images.zip", "all")
    output = tmp_path / "imported" / "annotations.json"
    assert import_split(torso_dataset(folder), "val", 2, output).images == 2
    assert ImageFiles(image_source_of(output), load_annotations(output, TORSO).images).read(0).size


def test_a_turned_photograph_is_read_as_it_was_annotated(tmp_path: Path) -> None:
    def edit(content: Content) -> None:
        content["images"][0] |= {"height": 160, "width": 120, "file_name": "turned.jpg"}
        content["annotations"][1]["image_id"] = 2  # it would be outside of the narrow image

    folder, output = torso_folder(tmp_path / "mine", edit), tmp_path / "imported" / "annotations.json"
    stored = np.zeros((120, 160, 3), dtype=np.uint8)
    stored[:, :20] = 255  # the left edge as stored is the upper edge as displayed
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(stored).save(folder / "images" / "turned.jpg", exif=exif)
    assert import_split(torso_dataset(folder), "val", 1, output).warnings == []
    loaded = load_annotations(output, TORSO)
    again = parse_annotations(output, loaded.to_coco(), TORSO).images.as_displayed
    assert again is not None
    assert again.tolist() == [True, False]
    files = ImageFiles(image_source_of(output), loaded.images)
    upright = files.read(0)
    assert upright.shape == (160, 120, 3)
    assert upright[:15].mean() > 240
    assert upright[30:].mean() < 15
    assert files.read(1).shape == (120, 160, 3)


def test_areas_taken_from_boxes_are_counted_with_the_boxes(tmp_path: Path) -> None:
    def edit(content: Content) -> None:
        for record in content["annotations"]:
            del record["area"]

    folder, output = torso_folder(tmp_path / "mine", edit), tmp_path / "imported" / "annotations.json"
    dataset = torso_dataset(folder)
    import_split(dataset, "val", 1, output)
    _, counts = source_boxes(dataset, "val", "ground_truth", load_annotations(output, TORSO), None)
    assert counts.areas_from_boxes == 4


def test_an_undecided_orientation_and_values_of_12_bits_are_warnings(tmp_path: Path) -> None:
    folder = torso_folder(tmp_path / "mine")
    first, second = (folder / "images" / f"p{number:03d}.png" for number in (1, 2))
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.open(first).save(first, exif=exif)
    values = np.random.default_rng(0).integers(0, 4096, (120, 160, 3), dtype=np.uint16)
    cv2.imwrite(str(second), values)
    check = read_split(folder_source(torso_dataset(folder), "val"), 1, decode=True).check
    assert {warning.kind: warning.count for warning in check.warnings} == {"orientation": 1, "bit_depth": 1}
    decided = torso_dataset(folder, orientation="as_displayed")
    kinds = [warning.kind for warning in read_split(folder_source(decided, "val"), 1, decode=True).check.warnings]
    assert kinds == ["bit_depth"]
