"""What cannot be read is left out with its people, counted and named."""

import json
import zipfile
from pathlib import Path

import pytest

from transpose.config.dataset import Dataset
from transpose.data.box_sources import source_boxes
from transpose.data.coco import load_annotations
from transpose.data.image_source import image_source_of, point_to_zip
from transpose.data.images import ImageFiles
from transpose.data.unreadable_images import drop_unreadable_images, unreadable_images
from transpose.errors import InputError
from transpose.skeleton import COCO_PERSON


def names(folder: Path) -> list[str]:
    return [record["file_name"] for record in json.loads((folder / "annotations.json").read_text())["images"]]


def damage(folder: Path) -> None:
    """Cut the first image short, empty the second, and remove the third."""
    first, second, third, _ = (folder / "images" / name for name in names(folder))
    first.write_bytes(first.read_bytes()[:-20])
    second.write_bytes(b"")
    third.unlink()


def test_broken_images_and_their_people_are_left_out_and_named(tiny_dataset: Path, tmp_path: Path) -> None:
    before = json.loads((tiny_dataset / "annotations.json").read_text())
    damage(tiny_dataset)
    output = tmp_path / "filtered" / "val" / "annotations.json"
    broken = drop_unreadable_images(tiny_dataset / "annotations.json", COCO_PERSON, 2, output)
    after = json.loads(output.read_text())
    assert after["images"] == before["images"][3:]
    assert after["annotations"] == [p for p in before["annotations"] if p["image_id"] == before["images"][3]["id"]]
    assert after["categories"] == before["categories"]
    assert [found.file_name for found in broken] == names(tiny_dataset)[:3]
    assert [found.problem for found in broken] == [
        "the image is truncated",
        "the image is empty",
        "no such image",
    ]
    assert json.loads((output.parent / "broken.json").read_text()) == [found.model_dump() for found in broken]
    loaded = load_annotations(output, COCO_PERSON)
    assert ImageFiles(image_source_of(output), loaded.images).read(0).size


def test_boxes_say_how_many_were_left_out(tiny_dataset: Path, tmp_path: Path) -> None:
    (tiny_dataset / "images" / names(tiny_dataset)[3]).unlink()
    output = tmp_path / "annotations.json"
    drop_unreadable_images(tiny_dataset / "annotations.json", COCO_PERSON, 1, output)
    source = {"kind": "folder", "folders": {"val": str(tiny_dataset)}, "unreadable_images": "skip"}
    boxes = {"ground_truth": {"kind": "ground_truth"}}
    dataset = Dataset.model_validate({"title": "tiny", "source": source, "boxes": boxes})
    _, counts = source_boxes(dataset, "val", "ground_truth", load_annotations(output, COCO_PERSON), None)
    assert (counts.unreadable_images, counts.images) == (1, 3)
    assert unreadable_images(tiny_dataset / "annotations.json") == 0


def test_whole_images_stay(tiny_dataset: Path, tmp_path: Path) -> None:
    output = tmp_path / "annotations.json"
    assert drop_unreadable_images(tiny_dataset / "annotations.json", COCO_PERSON, 1, output) == []
    assert json.loads(output.read_text()) == json.loads((tiny_dataset / "annotations.json").read_text())
    assert unreadable_images(output) == 0


def test_a_split_of_which_nothing_is_left_is_refused(tiny_dataset: Path, tmp_path: Path) -> None:
    for image in (tiny_dataset / "images").iterdir():
        image.write_bytes(b"")
    with pytest.raises(InputError, match="images: no image can be read; the first: the image is empty"):
        drop_unreadable_images(tiny_dataset / "annotations.json", COCO_PERSON, 1, tmp_path / "annotations.json")
    assert not list(tmp_path.glob("*.json"))


def test_wrong_annotations_are_refused_as_everywhere(tiny_dataset: Path, tmp_path: Path) -> None:
    path = tiny_dataset / "annotations.json"
    content = json.loads(path.read_text())
    del content["annotations"][0]["bbox"]
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="annotation 101: bbox: missing"):
        drop_unreadable_images(path, COCO_PERSON, 1, tmp_path / "annotations.json")


def test_images_in_an_archive_stay_there(tiny_dataset: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for image in (tiny_dataset / "images").iterdir():
            archive.write(image, f"all/{image.name}")
            image.unlink()
    annotations = tiny_dataset / "annotations.json"
    point_to_zip(annotations, tmp_path / "images.zip", "all")
    output = tmp_path / "filtered" / "annotations.json"
    assert drop_unreadable_images(annotations, COCO_PERSON, 2, output) == []
    loaded = load_annotations(output, COCO_PERSON)
    assert ImageFiles(image_source_of(output), loaded.images).read(0).size
