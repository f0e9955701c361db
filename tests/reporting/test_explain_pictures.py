"""Any picture explained: keypoints in its own pixels, figures, and an explorer."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from tests.small_variants import small_variant
from transpose.config.dataset import Dataset
from transpose.config.recipe import Recipe
from transpose.config.study import Explanation, Protocol
from transpose.config.training import Training
from transpose.data.coco import load_annotations
from transpose.errors import InputError
from transpose.files import read_json, write_json
from transpose.models.initialise import initialise
from transpose.models.variants import build_model
from transpose.models.weights import save_weights
from transpose.reporting.explain_pictures import PicturePersons, PosedPerson, explain_pictures, skeleton_of_run
from transpose.reporting.explanation import choose_persons, write_explanation
from transpose.reporting.pose_text import render_poses
from transpose.skeleton import COCO

PROTOCOL = Protocol(blur_kernel=3)


def trained(folder: Path, keypoints: int = 17, **variant: object) -> Path:
    recipe = Recipe(name="small", variant=small_variant("resnet", variant), training=Training(device="cpu"))
    model = build_model(recipe.variant, keypoints)
    initialise(model, "kaiming", pretrained_backbone=False, generator=torch.Generator().manual_seed(0))
    save_weights(model, folder / "weights.safetensors", {})
    write_json(folder / "run.json", {"recipe": recipe.model_dump(mode="json")})
    return folder / "run.json"


def explain(run: Path, *pictures: PicturePersons, threshold: float = 1.0) -> tuple[list[PosedPerson], Path]:
    folder = run.parent / "explained"
    return explain_pictures(run, pictures, COCO, PROTOCOL, threshold, folder), folder


def test_it_agrees_with_the_explanation_of_annotated_persons(tiny_dataset: Path, tmp_path: Path) -> None:
    run, annotations = trained(tmp_path), tiny_dataset / "annotations.json"
    recipe = Recipe.model_validate(read_json(run)["recipe"])
    weights = tmp_path / "weights.safetensors"
    write_explanation(recipe, weights, COCO, annotations, PROTOCOL, Explanation(persons=1), tmp_path / "annotated")
    person = read_json(tmp_path / "annotated" / "persons.json")["persons"][0]
    box = choose_persons(load_annotations(annotations, COCO), 1).boxes_xywh
    picture = tiny_dataset / "images" / person["picture"]
    (posed,), folder = explain(run, PicturePersons(picture, box))
    with np.load(tmp_path / "annotated" / "maps.npz") as maps:
        np.testing.assert_array_equal(posed.scores, maps["keypoint_scores"][0])
    for kind in ("dependency", "affected"):
        mine, theirs = (
            cv2.imread(str(place / "figures" / f"0_{kind}.png")) for place in (folder, tmp_path / "annotated")
        )
        assert mine is not None
        assert theirs is not None
        # Below the heading, which names the person otherwise.
        np.testing.assert_array_equal(mine[60:], theirs[60:])


def test_without_boxes_each_picture_is_one_person(tiny_dataset: Path, tmp_path: Path) -> None:
    first, second = sorted((tiny_dataset / "images").glob("*.jpg"))[:2]
    boxes = np.array([[20.0, 15, 50, 90], [90, 30, 40, 70]])
    posed, folder = explain(trained(tmp_path), PicturePersons(second, None), PicturePersons(first, boxes))
    assert [person.picture for person in posed] == [second.name, first.name, first.name]
    assert posed[0].box_xywh == (0, 0, 120, 160)
    assert all(np.isfinite(person.points_xy).all() for person in posed)
    # The crop's centre is that of the box, which x + (w - 1) / 2 is.
    assert np.abs(posed[1].points_xy - (44.5, 59.5)).max() < 0.75 * 1.25 * 90
    assert {path.name for path in (folder / "figures").iterdir()} == {
        f"{index}_{kind}.png" for index in range(3) for kind in ("dependency", "affected")
    }
    page = (folder / "explorer.html").read_text()
    assert f"<title>Attention: {second.name}, {first.name}</title>" in page
    written = read_json(folder / "persons.json")
    assert written["pass"] == "unflipped"
    assert written["persons"][2]["keypoints"][9] == {
        "keypoint": "left_wrist",
        "xy": posed[2].points_xy[9].tolist(),
        "confidence": float(posed[2].scores[9]),
    }
    lines = render_poses(posed, COCO).splitlines()
    assert lines[0] == f"{second.name}, person 0, box 0, 0, 120, 160"
    x, y = posed[0].points_xy[9]
    assert lines[11].split() == ["left_wrist", f"{x:.1f}", f"{y:.1f}", f"{posed[0].scores[9]:.3f}"]
    assert len(lines) == 3 * 19 + 2


def test_a_picture_is_taken_as_its_pixels_are_whatever_its_orientation_says(tiny_dataset: Path, tmp_path: Path) -> None:
    picture = sorted((tiny_dataset / "images").glob("*.jpg"))[0]
    plain = picture.read_bytes()
    # An EXIF segment that says: turn by 90 degrees (orientation 6).
    tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    body = b"Exif\0\0" + tiff
    turned = tmp_path / picture.name
    turned.write_bytes(plain[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + plain[2:])
    run = trained(tmp_path)
    (before,), _ = explain(run, PicturePersons(picture, None))
    (after,), _ = explain(run, PicturePersons(turned, None))
    assert after.box_xywh == before.box_xywh == (0, 0, 160, 120)
    np.testing.assert_array_equal(after.points_xy, before.points_xy)


def test_a_threshold_that_hides_all_leaves_figures_that_say_so(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    headings: list[str] = []
    write = Figure.text
    monkeypatch.setattr(
        Figure, "text", lambda self, x, y, s, **more: headings.append(s) or write(self, x, y, s, **more)
    )
    picture = PicturePersons(sorted((tiny_dataset / "images").glob("*.jpg"))[0], None)
    run = trained(tmp_path)
    _, folder = explain(run, picture)
    assert (figure(folder, "dependency")[60:] != figure(folder, "affected")[60:]).any()
    assert not any("nothing" in heading for heading in headings)
    headings.clear()
    _, folder = explain(run, picture, threshold=1e4)
    np.testing.assert_array_equal(figure(folder, "dependency")[60:], figure(folder, "affected")[60:])
    assert len(headings) == 2
    assert all("(nothing is attended to above 10000 times uniform)" in heading for heading in headings)


def figure(folder: Path, kind: str) -> np.ndarray:
    image = cv2.imread(str(folder / "figures" / f"0_{kind}.png"))
    assert image is not None
    return image


@pytest.mark.parametrize("case", ["missing", "no_picture", "outside", "no_encoder", "diverged"])
def test_bad_input_is_one_line_and_leaves_nothing(tiny_dataset: Path, tmp_path: Path, case: str) -> None:
    picture = sorted((tiny_dataset / "images").glob("*.jpg"))[0]
    run = trained(tmp_path, encoder=None) if case == "no_encoder" else trained(tmp_path)
    boxes = np.array([[500.0, 0, 10, 10]]) if case == "outside" else None
    words = {
        "missing": "no such picture",
        "no_picture": "not a picture that can be decoded",
        "outside": "box 500,0,10,10: lies outside of the picture, which is 160x120",
        "no_encoder": "has no attention to explain",
        "diverged": "training has diverged",
    }
    if case == "missing":
        picture = tmp_path / "nowhere.jpg"
    if case == "no_picture":
        picture = run
    if case == "diverged":
        model = build_model(small_variant("resnet"), 17)
        with torch.no_grad():
            model.final_layer.weight[0] = torch.nan
        save_weights(model, tmp_path / "weights.safetensors", {})
    with pytest.raises(InputError, match=words[case]):
        explain(run, PicturePersons(picture, boxes))
    assert not (tmp_path / "explained").exists()


class TestSkeleton:
    def test_seventeen_keypoints_are_cocos(self, tmp_path: Path) -> None:
        assert skeleton_of_run(trained(tmp_path), None) == COCO

    def test_other_keypoints_need_a_record(self, tmp_path: Path) -> None:
        run = trained(tmp_path, keypoints=16)
        with pytest.raises(InputError, match=r"final_layer.weight: 16 keypoints are not COCO's 17; .* --dataset"):
            skeleton_of_run(run, None)
        folder = {"kind": "folder", "folders": {"val": "x"}}
        boxes = {"gt": {"kind": "ground_truth"}}
        dataset = Dataset.model_validate({"title": "t", "source": folder, "boxes": boxes})
        write_json(tmp_path / "dataset.json", dataset.model_dump(mode="json"))
        assert skeleton_of_run(run, tmp_path / "dataset.json") == dataset.skeleton

    def test_what_is_no_run_is_named(self, tmp_path: Path) -> None:
        write_json(tmp_path / "run.json", {})
        with pytest.raises(InputError, match=r"run\.json: recipe: missing"):
            skeleton_of_run(tmp_path / "run.json", None)
