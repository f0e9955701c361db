"""Attention maps of chosen persons as files."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from tests.helpers.results_folder import write_inputs
from tests.helpers.small_variants import small_variant
from transpose.attention.maps.grid import Grid
from transpose.config.dataset import Dataset
from transpose.config.recipe import Recipe
from transpose.config.study import AttentionMapSettings, EvalProtocol
from transpose.config.training import Training
from transpose.data.boxes import PersonBoxes
from transpose.data.coco import CocoAnnotations, load_annotations
from transpose.errors import InputError
from transpose.files import read_json, write_json
from transpose.models.initialise import initialise
from transpose.models.transpose import TransPose
from transpose.models.variants import build_model
from transpose.models.weights import save_weights
from transpose.reporting import attention_maps as module
from transpose.reporting.attention_figure import AttentionPanel
from transpose.reporting.attention_maps import choose_persons, write_attention_maps
from transpose.skeleton import COCO_PERSON, Skeleton
from transpose.study.layout import RecordKind

LAYERS, GRID, INPUT = 2, (4, 3), (32, 24)


@pytest.fixture
def annotations(tiny_dataset: Path) -> CocoAnnotations:
    return load_annotations(tiny_dataset / "annotations.json", COCO_PERSON)


class TestChoice:
    def test_most_labelled_keypoints_first_and_one_an_image(self, annotations: CocoAnnotations) -> None:
        chosen = choose_persons(annotations, 10)
        assert len(set(chosen.image_ids)) == len(chosen) == 3
        persons = annotations.persons
        labelled = dict(zip(persons.annotation_ids, (persons.keypoints[:, :, 2] > 0).sum(axis=1), strict=True))
        counts = [labelled[person] for person in chosen.annotation_ids]
        assert counts == sorted(counts, reverse=True)
        for person in set(persons.annotation_ids) - set(chosen.annotation_ids):
            image = persons.image_ids[persons.annotation_ids == person][0]
            assert labelled[person] == 0 or labelled[person] <= counts[chosen.image_ids.tolist().index(image)]

    def test_fewer_are_the_first_of_more(self, annotations: CocoAnnotations) -> None:
        three = choose_persons(annotations, 3)
        for count in (1, 2):
            assert choose_persons(annotations, count).annotation_ids.tolist() == three.annotation_ids[:count].tolist()

    def test_the_larger_of_equals_comes_first_and_then_the_smaller_id(self, annotations: CocoAnnotations) -> None:
        keypoints = np.ones_like(annotations.persons.keypoints) * [20, 20, 2]
        areas = np.array([50.0, 60.0, 70.0, 70.0, 10.0, 99.0])
        persons = replace(annotations.persons, keypoints=keypoints, areas=areas)
        chosen = choose_persons(replace(annotations, persons=persons), 10)
        # 106 is a crowd; 101 shares its image with 102, and 105 with 103.
        assert chosen.annotation_ids.tolist() == [103, 104, 102]

    def test_no_person_is_an_error(self, annotations: CocoAnnotations) -> None:
        crowds = annotations.persons.select(annotations.persons.is_crowd)
        for persons in (crowds, crowds.select(np.zeros(1, dtype=bool))):
            with pytest.raises(InputError, match="annotations: no person with keypoints to explain"):
                choose_persons(replace(annotations, persons=persons), 4)


NO_BOXES = PersonBoxes(np.zeros(0, dtype=np.int64), np.zeros((0, 4)), np.zeros(0), np.zeros(0, dtype=np.int64))


def model(**changes: Any) -> TransPose:
    made = build_model(small_variant("resnet", changes), len(COCO_PERSON))
    initialise(made, "kaiming", pretrained_backbone=False, generator=torch.Generator().manual_seed(0))
    return made


class Explained:
    """What an explanation reads and writes."""

    def __init__(self, annotations: Path, folder: Path, **variant: Any) -> None:
        recipe = Recipe(
            name="small", variant=small_variant("resnet", variant), training=Training(device="cpu", dtype="bf16")
        )
        source = {"kind": "folder", "folders": {"val": str(annotations.parent)}}
        dataset = {"title": "tiny", "source": source, "boxes": {"ground_truth": {"kind": "ground_truth"}}}
        inputs = write_inputs(
            folder, recipe, Dataset.model_validate(dataset), annotations, EvalProtocol(blur_kernel=3), boxes=NO_BOXES
        )
        self.run, self.layout = inputs.run, inputs.layout
        self.annotations, self.weights = annotations, inputs.run_folder.weights
        self.folder = self.layout.attention(self.run, "tiny", "val")
        save_weights(model(**variant), self.weights, {})

    def write(self, persons: int = 2) -> None:
        settings = AttentionMapSettings(persons=persons)
        write_json(self.layout.record(RecordKind.ATTENTION_MAPS), settings.model_dump(mode="json"))
        write_attention_maps(self.layout, self.run, "tiny", "val", self.annotations)

    def fails(self, words: str) -> None:
        with pytest.raises(InputError) as caught:
            self.write()
        assert words in str(caught.value)
        assert not self.folder.exists()


@pytest.fixture
def explained(tiny_dataset: Path, tmp_path: Path) -> Explained:
    return Explained(tiny_dataset / "annotations.json", tmp_path)


@pytest.fixture
def sketches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace figures by text files with their numbers, to save time."""

    def sketch(person: AttentionPanel, kind: str, _: Skeleton, title: str, path: Path, threshold: float) -> None:
        path.write_text(f"{title} {kind} {threshold} {person.areas.sum(axis=(0, 2))} {person.scores}")

    monkeypatch.setattr(module, "draw_attention", sketch)


@pytest.mark.usefixtures("sketches")
def test_arrays_persons_and_figures_belong_together(explained: Explained) -> None:
    explained.write()
    with np.load(explained.folder / "maps.npz") as content:
        maps = dict(content)
    people = read_json(explained.folder / "persons.json")
    chosen = choose_persons(load_annotations(explained.annotations, COCO_PERSON), 2)
    assert [person["annotation_id"] for person in people["persons"]] == chosen.annotation_ids.tolist()
    assert [person["box_xywh"] for person in people["persons"]] == chosen.boxes_xywh.tolist()
    assert all((explained.annotations.parent / "images" / one["image"]).is_file() for one in people["persons"])
    assert (people["pass"], people["grid"]) == ("unflipped", [*GRID])
    for image_pass in ("unflipped", "mirrored"):
        dependency, affected = maps[f"dependency_{image_pass}"], maps[f"affected_{image_pass}"]
        assert dependency.shape == affected.shape == (2, LAYERS, 17, GRID[0] * GRID[1])
        np.testing.assert_allclose(dependency.sum(axis=-1), 1, rtol=1e-5)
    assert not np.allclose(maps["dependency_unflipped"], maps["dependency_mirrored"])
    assert maps["crops"].shape == (2, *INPUT, 3)
    assert maps["keypoint_scores"].shape == (2, 17)
    tokens = Grid.of(small_variant("resnet")).tokens_at(maps["keypoints_xy"])
    np.testing.assert_array_equal(maps["queries"], tokens)
    names = {f"{person}_{kind}.png" for person in (0, 1) for kind in ("dependency", "affected")}
    assert {path.name for path in (explained.folder / "figures").iterdir()} == names
    image, person = people["persons"][1]["image"], people["persons"][1]["annotation_id"]
    sketch = (explained.folder / "figures" / "1_affected.png").read_text()
    shown = f"{maps['affected_unflipped'][1].sum(axis=(0, 2))} {maps['keypoint_scores'][1]}"
    assert sketch == f"small on {image}, person {person} affected 1.0 {shown}"


def test_figures_are_images(explained: Explained) -> None:
    explained.write(persons=1)
    for kind in ("dependency", "affected"):
        assert cv2.imread(str(explained.folder / "figures" / f"0_{kind}.png")) is not None


@pytest.mark.usefixtures("sketches")
def test_a_second_call_gives_the_same_bytes_and_leaves_no_old_figures(explained: Explained) -> None:
    explained.write(persons=2)
    before = {path: path.read_bytes() for path in explained.folder.rglob("*.*")}
    explained.write(persons=2)
    assert {path: path.read_bytes() for path in explained.folder.rglob("*.*")} == before
    explained.write(persons=1)
    assert {path.name for path in explained.folder.rglob("*.png")} == {"0_dependency.png", "0_affected.png"}


def test_a_variant_without_encoder_has_nothing_to_explain(tiny_dataset: Path, tmp_path: Path) -> None:
    Explained(tiny_dataset / "annotations.json", tmp_path, encoder=None).fails("encoder: has no attention to explain")


def test_a_diverged_model_is_one_line_that_names_the_weights(explained: Explained) -> None:
    diverged = model()
    with torch.no_grad():
        diverged.final_layer.weight[0] = 3e38
    save_weights(diverged, explained.weights, {})
    explained.fails("weights.safetensors: the model's heatmaps are not finite; training has diverged")


def test_no_person_to_explain_is_one_line(explained: Explained) -> None:
    content = read_json(explained.annotations)
    write_json(explained.annotations, content | {"annotations": []})
    explained.fails("annotations.json: annotations: no person with keypoints to explain")
