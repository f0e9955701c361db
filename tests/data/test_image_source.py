"""Where an annotation file's images are."""

import zipfile
from pathlib import Path

import pytest

from transpose.data.image_source import image_source_of, point_to_folder, point_to_zip
from transpose.errors import InputError


def test_they_lie_in_images_by_default(tmp_path: Path) -> None:
    assert image_source_of(tmp_path / "annotations.json") == tmp_path / "images"


def test_a_pointer_leads_to_a_folder_wherever_the_whole_is_moved(tmp_path: Path) -> None:
    annotations = tmp_path / "before" / "coco" / "val" / "annotations.json"
    images = tmp_path / "before" / "unpacked" / "val2017"
    for folder in (annotations.parent, images):
        folder.mkdir(parents=True)
    (images / "1.jpg").write_bytes(b"one")
    point_to_folder(annotations, images)
    (tmp_path / "before").rename(tmp_path / "after")
    assert (image_source_of(tmp_path / "after/coco/val/annotations.json") / "1.jpg").read_bytes() == b"one"


def test_a_pointer_leads_into_an_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "val.zip", "w") as archive:
        archive.writestr("val2017/1.jpg", b"one")
    annotations = tmp_path / "val" / "annotations.json"
    annotations.parent.mkdir()
    point_to_zip(annotations, tmp_path / "val.zip", "val2017")
    assert (image_source_of(annotations) / "1.jpg").read_bytes() == b"one"


@pytest.mark.parametrize("text", ['{"kind": "cloud"}', '{"kind": "zip", "archive": 3, "folder": "x"}', "[]"])
def test_a_broken_pointer_is_reported(tmp_path: Path, text: str) -> None:
    (tmp_path / "images.json").write_text(text)
    with pytest.raises(InputError, match=r"images\.json"):
        image_source_of(tmp_path / "annotations.json")
