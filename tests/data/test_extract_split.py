"""A split out of archives: the same bytes, all images present, or one line that says what is missing."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from transpose.config.dataset import ArchivedSplit
from transpose.data.archives import ExtractedSplit, extract_split, unpack
from transpose.data.image_source import image_source_of
from transpose.errors import InputError

SPLIT = ArchivedSplit(annotations="notes", member="annotations/val.json", images="val", folder="val2017")
IMAGES = [{"id": number, "file_name": f"{number}.jpg", "height": 4, "width": 6} for number in (1, 2)]


def write_archives(folder: Path, content: Any, members: tuple[str, ...] = ("1.jpg", "2.jpg", "3.jpg")) -> bytes:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    with zipfile.ZipFile(folder / "notes.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("annotations/val.json", data)
    with zipfile.ZipFile(folder / "val.zip", "w") as archive:
        for name in members:
            archive.writestr(f"val2017/{name}", name.encode())
    return data


@pytest.mark.parametrize("unpacked", [True, False])
def test_annotations_keep_their_bytes_and_images_are_found(tmp_path: Path, unpacked: bool) -> None:
    data = write_archives(tmp_path, {"images": IMAGES, "annotations": [{}], "categories": []})
    if unpacked:
        unpack(tmp_path / "val.zip", tmp_path / "unpacked" / "val")
    output = tmp_path / "coco" / "val" / "annotations.json"
    got = extract_split(SPLIT, tmp_path, tmp_path / "unpacked" if unpacked else None, output)
    assert got == ExtractedSplit(images=2, annotations=1, other_images=1)
    assert output.read_bytes() == data
    assert (image_source_of(output) / "2.jpg").read_bytes() == b"2.jpg"


def test_a_test_set_gets_an_empty_list_of_annotations(tmp_path: Path) -> None:
    write_archives(tmp_path, {"images": IMAGES, "categories": []})
    output = tmp_path / "coco" / "annotations.json"
    assert extract_split(SPLIT, tmp_path, None, output).annotations == 0
    assert json.loads(output.read_text()) == {"images": IMAGES, "categories": [], "annotations": []}


@pytest.mark.parametrize(
    ("content", "members", "problem"),
    [
        ({"images": IMAGES}, ("1.jpg",), r"val\.zip: 1 of 2 images are missing, the first is 2\.jpg"),
        (b"{", (), r"val\.json: not JSON"),
        ([], (), r"val\.json: must be an object"),
        ({"images": [{"id": 1}]}, ("1.jpg",), r"val\.json: images\[0\]: file_name: missing"),
    ],
)
def test_what_is_wrong_is_reported_and_nothing_written(
    tmp_path: Path, content: Any, members: tuple[str, ...], problem: str
) -> None:
    write_archives(tmp_path, content, members or ("1.jpg",))
    output = tmp_path / "coco" / "annotations.json"
    with pytest.raises(InputError, match=problem):
        extract_split(SPLIT, tmp_path, None, output)
    assert not output.exists()


def test_a_member_that_is_not_there_is_reported_with_those_that_are(tmp_path: Path) -> None:
    write_archives(tmp_path, {"images": IMAGES})
    split = SPLIT.model_copy(update={"member": "annotations/train.json"})
    with pytest.raises(InputError, match=r"no such member; it has annotations/val\.json"):
        extract_split(split, tmp_path, None, tmp_path / "annotations.json")
