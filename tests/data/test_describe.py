"""The starting YAML file of a labelled folder loads, passes the check, and says what was guessed."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.helpers.torso_data import TORSO, Content, torso_folder
from transpose.config.dataset import Dataset, FolderSource
from transpose.config.load import find_dataset
from transpose.data.check import check_dataset
from transpose.data.describe import describe_data, words_of
from transpose.errors import InputError
from transpose.skeleton import COCO_PERSON
from transpose.study.data_files import split_files
from transpose.study.layout import ResourcesLayout


def described(annotations: Path, output: Path) -> Dataset:
    """The data set of the printed file, which was loaded and checked like a person's own."""
    output.write_text(describe_data(annotations), encoding="utf-8")
    name, dataset = find_dataset(str(output), Path("config"))
    checked = check_dataset(dataset, split_files(name, dataset, ResourcesLayout(Path("resources"))), None, jobs=1)
    assert [found.reason for found in checked.values()] == [None] * len(dataset.splits)
    assert all(found.split.check.warnings == [] for found in checked.values())
    return dataset


def with_limbs(content: Content) -> None:
    content["categories"][0]["skeleton"] = [[2, 3], [2, 4], [3, 5]]


def test_a_split_s_folder_is_described_with_its_neighbours(tmp_path: Path) -> None:
    for split in ("train", "val"):
        torso_folder(tmp_path / "mine" / split, with_limbs)
    dataset = described(tmp_path / "mine" / "train" / "annotations.json", tmp_path / "mine.yaml")
    assert dataset.title == "mine"
    assert isinstance(dataset.source, FolderSource)
    assert dataset.source.folders == {name: str(tmp_path / "mine" / name) for name in ("train", "val")}
    assert dataset.skeleton == TORSO.model_copy(update={"name": "person"})
    assert "COCO's of the same body parts" in (tmp_path / "mine.yaml").read_text()


@pytest.mark.parametrize(
    ("annotations", "images"),
    [
        ("annotations.json", "images"),
        ("_annotations.coco.json", "."),
        ("annotations/person_keypoints_default.json", "images/default"),
        ("annotations/instances.json", "train2017"),
    ],
)
def test_layouts_of_tools_are_found(tmp_path: Path, annotations: str, images: str) -> None:
    export = torso_folder(tmp_path / "export")
    folder = tmp_path / "mine"
    (folder / annotations).parent.mkdir(parents=True)
    (export / "annotations.json").rename(folder / annotations)
    (folder / images).mkdir(parents=True, exist_ok=True)
    for image in (export / "images").iterdir():
        image.rename(folder / images / image.name)
    source = described(folder / annotations, tmp_path / "mine.yaml").source
    assert isinstance(source, FolderSource)
    assert (source.folders, source.annotations, source.images) == ({"train": str(folder)}, annotations, images)


def test_coco_s_keypoints_need_no_skeleton(tiny_dataset: Path, tmp_path: Path) -> None:
    text = describe_data(tiny_dataset / "annotations.json")
    assert "skeleton:" not in text
    assert Dataset.model_validate(yaml.safe_load(text)).skeleton == COCO_PERSON


def test_what_names_do_not_say_is_estimated(tmp_path: Path) -> None:
    def rename(content: Content) -> None:
        names = ["snout", "LeftWrist", "RightWrist", "rear l", "rear r"]
        content["categories"][0] |= {"keypoints": names, "skeleton": [[0, 1], [1, 2], [4, 9]]}

    folder = torso_folder(tmp_path / "mine", rename)
    text = describe_data(folder / "annotations.json")
    skeleton = Dataset.model_validate(yaml.safe_load(text)).skeleton
    assert skeleton.flip_pairs == (("LeftWrist", "RightWrist"), ("rear l", "rear r"))
    assert skeleton.limbs == (("snout", "LeftWrist"), ("LeftWrist", "RightWrist"))
    assert skeleton.sigmas == (0.072, 0.062, 0.062, 0.072, 0.072)
    assert skeleton.upper_body == ("LeftWrist", "RightWrist")
    assert "COCO has none for snout, rear l, rear r; 0.072 is its median" in text


def test_of_several_categories_with_other_keypoints_one_is_chosen(tmp_path: Path) -> None:
    def add(content: Content) -> None:
        content["categories"].append({"id": 2, "name": "hand", "keypoints": ["thumb", "wrist"]})

    folder = torso_folder(tmp_path / "mine", add)
    assert described(folder / "annotations.json", tmp_path / "mine.yaml").category == "person"
    assert "# others with keypoints: hand" in (tmp_path / "mine.yaml").read_text()


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (lambda content: content["categories"][0].pop("keypoints"), "none lists keypoints; export in COCO's"),
        (lambda content: content["images"][0].update(file_name="gone.png"), "the first, 'gone.png', is not in a"),
        (lambda content: content["images"].clear(), "there are none"),
        (lambda content: content["categories"][0].update(keypoints=[1, 2]), "must be a list of names"),
    ],
)
def test_what_cannot_be_described_is_one_line(tmp_path: Path, edit: object, problem: str) -> None:
    folder = torso_folder(tmp_path / "mine", edit)  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match=problem):
        describe_data(folder / "annotations.json")


@pytest.mark.parametrize("name", ["left_shoulder", "Left-Shoulder", "left shoulder", "LeftShoulder"])
def test_spellings_of_a_name_have_the_same_words(name: str) -> None:
    assert words_of(name) == ("left", "shoulder")


def test_the_command_prints_the_file(tmp_path: Path) -> None:
    folder = torso_folder(tmp_path / "mine")
    command = [sys.executable, "-m", "transpose", "describe-data", str(folder / "annotations.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == describe_data(folder / "annotations.json")
