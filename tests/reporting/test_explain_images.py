"""Any image explained: keypoints in its own pixels, figures, and a viewer."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from tests.helpers.exif import turned_by_exif
from tests.helpers.results_folder import write_inputs
from tests.helpers.run_records import write_run
from tests.helpers.small_variants import small_variant
from transpose.config.dataset import Dataset
from transpose.config.recipe import Recipe
from transpose.config.study import AttentionMapSettings, EvalProtocol
from transpose.config.training import Training
from transpose.data.coco import load_annotations
from transpose.errors import InputError
from transpose.files import read_json
from transpose.models.initialise import initialise
from transpose.models.variants import build_model
from transpose.models.weights import save_weights
from transpose.pose_model import PoseModel
from transpose.reporting.attention_maps import choose_persons, write_attention_maps
from transpose.reporting.explain_images import explain_images
from transpose.reporting.pose_text import keypoint_blocks
from transpose.reporting.predict_images import ImagePersons, ImagePoses
from transpose.skeleton import COCO_PERSON
from transpose.study.layout import RecordKind

PROTOCOL = EvalProtocol(blur_kernel=3)


def trained(folder: Path, **variant: object) -> Path:
    recipe = Recipe(name="small", variant=small_variant("resnet", variant), training=Training(device="cpu"))
    model = build_model(recipe.variant, len(COCO_PERSON))
    initialise(model, "kaiming", pretrained_backbone=False, generator=torch.Generator().manual_seed(0))
    save_weights(model, folder / "weights.safetensors", {})
    return write_run(folder / "run.json", recipe, protocol=PROTOCOL)


def explain(run: Path, *images: ImagePersons, threshold: float = 1.0) -> tuple[list[ImagePoses], Path]:
    folder = run.parent / "explained"
    return explain_images(PoseModel.from_run(run), images, threshold, folder), folder


def test_it_agrees_with_the_explanation_of_annotated_persons(tiny_dataset: Path, tmp_path: Path) -> None:
    run, annotations = trained(tmp_path), tiny_dataset / "annotations.json"
    source = {"kind": "folder", "folders": {"val": str(tiny_dataset)}}
    dataset = {"title": "tiny", "source": source, "boxes": {"ground_truth": {"kind": "ground_truth"}}}
    settings = {RecordKind.ATTENTION_MAPS: AttentionMapSettings(persons=1)}
    recipe = Recipe.model_validate(read_json(run)["recipe"])
    inputs = write_inputs(
        tmp_path / "results", recipe, Dataset.model_validate(dataset), annotations, PROTOCOL, settings
    )
    inputs.run_folder.weights.write_bytes((tmp_path / "weights.safetensors").read_bytes())
    write_attention_maps(inputs.layout, inputs.run, "tiny", "val", annotations)
    annotated = inputs.layout.attention(inputs.run, "tiny", "val")
    person = read_json(annotated / "persons.json")["persons"][0]
    box = choose_persons(load_annotations(annotations, COCO_PERSON), 1).boxes_xywh
    image = tiny_dataset / "images" / person["image"]
    (found,), folder = explain(run, ImagePersons(image, box))
    with np.load(annotated / "maps.npz") as maps:
        np.testing.assert_array_equal(found.poses.scores, maps["keypoint_scores"])
    for kind in ("dependency", "affected"):
        mine, theirs = (cv2.imread(str(place / "figures" / f"0_{kind}.png")) for place in (folder, annotated))
        assert mine is not None
        assert theirs is not None
        # Below the heading, which names the person otherwise.
        np.testing.assert_array_equal(mine[60:], theirs[60:])


def test_without_boxes_each_image_is_one_person(tiny_dataset: Path, tmp_path: Path) -> None:
    first, second = sorted((tiny_dataset / "images").glob("*.jpg"))[:2]
    boxes = np.array([[20.0, 15, 50, 90], [90, 30, 40, 70]])
    found, folder = explain(trained(tmp_path), ImagePersons(second, None), ImagePersons(first, boxes))
    assert [(one.path, len(one.poses)) for one in found] == [(second, 1), (first, 2)]
    assert found[0].poses.boxes.tolist() == [[0, 0, 120, 160]]
    assert all(np.isfinite(one.poses.xy).all() for one in found)
    # The crop's centre is that of the box, which x + (w - 1) / 2 is.
    assert np.abs(found[1].poses.xy[0] - (44.5, 59.5)).max() < 0.75 * 1.25 * 90
    assert {path.name for path in (folder / "figures").iterdir()} == {
        f"{index}_{kind}.png" for index in range(3) for kind in ("dependency", "affected")
    }
    page = (folder / "viewer.html").read_text()
    assert f"<title>Attention: {second.name}, {first.name}</title>" in page
    written = read_json(folder / "persons.json")
    assert written["pass"] == "unflipped"
    assert written["persons"][2]["keypoints"][9] == {
        "keypoint": "left_wrist",
        "xy": found[1].poses.xy[1, 9].tolist(),
        "confidence": float(found[1].poses.scores[1, 9]),
    }
    blocks = [block for image in found for block in keypoint_blocks(image.path.name, image.poses)]
    lines = "\n".join(blocks).splitlines()
    assert lines[0] == f"{second.name}, person 0, box 0, 0, 120, 160, score {found[0].poses.person_scores[0]:.3f}"
    x, y = found[0].poses.keypoints["left_wrist"][0]
    assert lines[11].split() == ["left_wrist", f"{x:.1f}", f"{y:.1f}", f"{found[0].poses.scores[0, 9]:.3f}"]
    assert len(lines) == 3 * 19 + 2


def test_an_image_is_explained_as_it_is_displayed(tiny_dataset: Path, tmp_path: Path) -> None:
    image = sorted((tiny_dataset / "images").glob("*.jpg"))[0]
    (found,), _ = explain(trained(tmp_path), ImagePersons(turned_by_exif(image, tmp_path / image.name), None))
    assert found.poses.boxes.tolist() == [[0, 0, 120, 160]]


def test_a_threshold_that_hides_all_leaves_figures_that_say_so(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    headings: list[str] = []
    write = Figure.text
    monkeypatch.setattr(
        Figure, "text", lambda self, x, y, s, **more: headings.append(s) or write(self, x, y, s, **more)
    )
    image = ImagePersons(sorted((tiny_dataset / "images").glob("*.jpg"))[0], None)
    run = trained(tmp_path)
    _, folder = explain(run, image)
    assert (figure(folder, "dependency")[60:] != figure(folder, "affected")[60:]).any()
    assert not any("no attention" in heading for heading in headings)
    headings.clear()
    _, folder = explain(run, image, threshold=1e4)
    np.testing.assert_array_equal(figure(folder, "dependency")[60:], figure(folder, "affected")[60:])
    assert len(headings) == 2
    assert all("(no attention above 10000 times uniform)" in heading for heading in headings)


def figure(folder: Path, kind: str) -> np.ndarray:
    pixels = cv2.imread(str(folder / "figures" / f"0_{kind}.png"))
    assert pixels is not None
    return pixels


@pytest.mark.parametrize("case", ["missing", "no_image", "outside", "no_encoder", "diverged"])
def test_bad_input_is_one_line_and_leaves_nothing(tiny_dataset: Path, tmp_path: Path, case: str) -> None:
    image = sorted((tiny_dataset / "images").glob("*.jpg"))[0]
    run = trained(tmp_path, encoder=None) if case == "no_encoder" else trained(tmp_path)
    boxes = np.array([[500.0, 0, 10, 10]]) if case == "outside" else None
    words = {
        "missing": "no such image",
        "no_image": "not an image that can be decoded",
        "outside": "box 500,0,10,10: is outside the image, which is 160x120",
        "no_encoder": "has no attention to explain",
        "diverged": "training has diverged",
    }
    if case == "missing":
        image = tmp_path / "nowhere.jpg"
    if case == "no_image":
        image = run
    if case == "diverged":
        model = build_model(small_variant("resnet"), 17)
        with torch.no_grad():
            model.final_layer.weight[0] = 3e38
        save_weights(model, tmp_path / "weights.safetensors", {})
    with pytest.raises(InputError, match=words[case]):
        explain(run, ImagePersons(image, boxes))
    assert not (tmp_path / "explained").exists()
