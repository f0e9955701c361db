"""One model object: loaded from a run, it predicts as the workflow does, on any image."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.helpers.exif import turned_by_exif
from tests.helpers.pose_models import pose_model
from tests.helpers.recordings import Recordings
from tests.helpers.results_folder import write_inputs
from tests.helpers.run_records import SMALL, write_run
from tests.helpers.small_variants import small_variant
from transpose.config.dataset import Dataset
from transpose.config.study import EvalProtocol
from transpose.data.boxes import PersonBoxes
from transpose.data.images import read_image
from transpose.data.loader import EvaluationBatch
from transpose.data.normalise import normalise
from transpose.device import DeviceContext
from transpose.errors import InputError
from transpose.evaluation.prediction_file import write_predictions
from transpose.evaluation.results import read_results
from transpose.files import read_json
from transpose.geometry import box_to_center_scale, crop_affines, transform_points
from transpose.inference.predictions import finish_predictions
from transpose.models.initialise import initialise
from transpose.models.variants import build_model
from transpose.models.weights import save_weights
from transpose.pose_model import PoseModel
from transpose.skeleton import COCO_PERSON

PERSONS = 5


def peaks(images):
    """A stand-in for a network: 17 heatmaps [B, 17, 16, 12] whose maximum follows the brightest place."""
    brightness = torch.nn.functional.avg_pool2d(images.mean(dim=1, keepdim=True), 4)
    return torch.nn.functional.avg_pool2d(brightness, 3, stride=1, padding=1).clamp(min=0).repeat(1, 17, 1, 1)


def crops():
    """Crops [5, 64, 48, 3] with one bright disc, and the discs' centres in heatmap pixels."""
    rng = np.random.default_rng(0)
    centres = rng.uniform(3, 8, (PERSONS, 2))
    rows, columns = np.mgrid[:64, :48]
    squared = ((columns / 4 - centres[:, :1, None]) ** 2) + (rows / 4 - centres[:, 1:, None]) ** 2
    discs = (255 * np.exp(-squared / 4)).astype(np.uint8)
    return torch.from_numpy(np.repeat(discs[..., None], 3, axis=3)), centres


def batches(order, size=2):
    images, _ = crops()
    center, scale = np.arange(10.0).reshape(5, 2) * 50, np.linspace(0.5, 1.5, 5)[:, None] * [0.75, 1]
    for start in range(0, PERSONS, size):
        index = order[start : start + size]
        yield EvaluationBatch(images[index], center[index], scale[index], index)


def test_order_and_size_of_batches_do_not_matter():
    model = pose_model(peaks, EvalProtocol())
    expected = model.predict_keypoints(batches(np.arange(5), size=5))
    shuffled = model.predict_keypoints(batches(np.array([3, 0, 4, 2, 1])))
    np.testing.assert_allclose(shuffled.keypoints_xy, expected.keypoints_xy, atol=1e-4)
    np.testing.assert_allclose(shuffled.keypoint_scores, expected.keypoint_scores, atol=1e-6)
    np.testing.assert_array_equal(shuffled.areas, expected.areas)
    np.testing.assert_allclose(expected.areas, 200**2 * 0.75 * np.linspace(0.5, 1.5, 5) ** 2)


@pytest.mark.parametrize("flip_test", [False, True])
def test_replayed_passes_keep_the_results_of_each_batch(monkeypatch, flip_test):
    protocol = EvalProtocol(flip_test=flip_test)
    several = [
        replace(batch, index=batch.index + PERSONS * epoch) for epoch in range(4) for batch in batches(np.arange(5))
    ]
    expected = pose_model(peaks, protocol).predict_keypoints(several)
    recordings = Recordings(list)
    monkeypatch.setattr("transpose.pose_model.graph_capture", lambda context: recordings)
    predicted = pose_model(peaks, protocol).predict_keypoints(several)
    assert (recordings.captures, recordings.replays) == (2, 9)
    np.testing.assert_array_equal(predicted.keypoints_xy, expected.keypoints_xy)
    np.testing.assert_array_equal(predicted.keypoint_scores, expected.keypoint_scores)


@pytest.mark.parametrize(("decoder", "tolerance"), [("dark", 0.6), ("argmax", 1.0)])
def test_keypoints_land_on_the_discs(decoder, tolerance):
    protocol = EvalProtocol(decoder=decoder, blur_kernel=5, flip_test=False)
    predictions = pose_model(peaks, protocol).predict_keypoints(batches(np.arange(5)))
    _, centres = crops()
    batch = next(batches(np.arange(5), size=5))
    pixels = (200 * batch.scale[:, :1] - 1) / 11
    expected = batch.center + (centres - [5.5, 7.5]) * pixels
    assert (np.abs(predictions.keypoints_xy[:, 0] - expected) < tolerance * pixels).all()


def test_the_flip_test_is_the_protocols_choice():
    images, _ = crops()

    def left_half(batch):
        heatmaps = peaks(batch)
        heatmaps[..., 6:] = 0
        return heatmaps

    plain = pose_model(left_half, EvalProtocol(flip_test=False)).predict_heatmaps(images)
    both = pose_model(left_half, EvalProtocol()).predict_heatmaps(images)
    torch.testing.assert_close(plain, left_half(normalise(images)))
    torch.testing.assert_close(both, peaks(normalise(images)) / 2)


def test_bf16_is_nearly_fp32():
    weights = torch.randn(17, 3, 4, 4, generator=torch.Generator().manual_seed(0)) / 48

    def model(batch):
        return torch.nn.functional.conv2d(batch, weights, stride=4)

    images, _ = crops()
    exact = pose_model(model, EvalProtocol()).predict_heatmaps(images)
    bf16 = DeviceContext(torch.device("cpu"), "bf16", 1)
    rough = pose_model(model, EvalProtocol(), context=bf16).predict_heatmaps(images)
    assert rough.dtype == torch.float32
    assert not torch.equal(rough, exact)
    torch.testing.assert_close(rough, exact, atol=0.03, rtol=0.03)


def test_a_diverged_model_is_the_fault_of_its_weights():
    diverged = pose_model(lambda images: peaks(images) * torch.nan, EvalProtocol())
    words = "run/weights: the model's heatmaps are not finite; training has diverged"
    with pytest.raises(InputError, match=words):
        diverged.predict_heatmaps(crops()[0])
    with pytest.raises(InputError, match=words):
        diverged.predict_keypoints(batches(np.arange(5)))


def test_no_boxes_no_predictions():
    predictions = pose_model(peaks, EvalProtocol()).predict_keypoints([])
    assert predictions.keypoints_xy.shape == (0, 17, 2)
    boxes = PersonBoxes(np.zeros(0, dtype=np.int64), np.zeros((0, 4)), np.zeros(0), np.zeros(0, dtype=np.int64))
    assert len(finish_predictions(predictions, boxes, EvalProtocol(), COCO_PERSON)) == 0


RECIPE = SMALL.with_loader_settings(workers=0)
PROTOCOL = EvalProtocol(batch_size=2, blur_kernel=3, keypoint_threshold=0.0)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Folder of a trained model."""
    return write_trained(tmp_path / "run")


def write_trained(folder: Path, **variant: object) -> Path:
    """A run with random weights."""
    recipe = SMALL.model_copy(update={"variant": small_variant("resnet", variant)})
    network = build_model(recipe.variant, len(COCO_PERSON))
    initialise(network, "kaiming", pretrained_backbone=False, generator=torch.Generator().manual_seed(0))
    save_weights(network, folder / "weights.safetensors", {})
    write_run(folder / "run.json", recipe, protocol=PROTOCOL)
    return folder


@pytest.fixture
def photograph(tiny_dataset: Path) -> Path:
    """160 pixels wide and 120 high."""
    return tiny_dataset / "images" / f"{11:012d}.jpg"


BOXES = np.array([[20.0, 15, 50, 90], [90, 30, 40, 70], [0, 0, 160, 120]])


class TestRun:
    @pytest.mark.parametrize("name", ["", "run.json"])
    def test_a_run_is_loaded_with_its_own_skeleton_and_protocol(self, run: Path, name: str) -> None:
        model = PoseModel.from_run(run / name)
        assert (model.skeleton, model.protocol, model.variant) == (COCO_PERSON, PROTOCOL, SMALL.variant)
        assert model.weights == run / "weights.safetensors"

    def test_what_is_missing_is_named(self, run: Path) -> None:
        with pytest.raises(InputError, match=r"nowhere: no such file"):
            PoseModel.from_run(run / "nowhere")
        (run / "weights.safetensors").unlink()
        with pytest.raises(InputError, match=r"weights\.safetensors: no such file"):
            PoseModel.from_run(run)

    def test_weights_of_another_shape_are_refused(self, run: Path) -> None:
        save_weights(
            build_model(small_variant("resnet", {"dim": 4}), len(COCO_PERSON)), run / "weights.safetensors", {}
        )
        with pytest.raises(InputError, match=r"weights\.safetensors: "):
            PoseModel.from_run(run)


class TestPredict:
    def test_it_is_what_the_workflow_predicts_on_the_same_boxes(
        self, run: Path, tiny_dataset: Path, photograph: Path, tmp_path: Path
    ) -> None:
        annotations = tiny_dataset / "annotations.json"
        count = len(BOXES)
        ids, unlabelled = np.full(count, 11), np.full(count, -1)
        boxes = PersonBoxes(ids, BOXES, np.ones(count), unlabelled)
        everybody = PROTOCOL.model_copy(update={"nms_threshold": None})
        source = {"kind": "folder", "folders": {"val": str(tiny_dataset)}}
        dataset = {"title": "tiny", "source": source, "boxes": {"ground_truth": {"kind": "ground_truth"}}}
        inputs = write_inputs(
            tmp_path / "results", RECIPE, Dataset.model_validate(dataset), annotations, everybody, boxes=boxes
        )
        inputs.run_folder.weights.write_bytes((run / "weights.safetensors").read_bytes())
        write_predictions(inputs)
        results = read_results(inputs.predictions_file, COCO_PERSON)
        poses = PoseModel.from_run(run).predict(photograph, BOXES)
        order = np.argsort(-poses.person_scores, kind="stable")
        np.testing.assert_array_equal(poses.xy[order], results.keypoints[..., :2])
        np.testing.assert_array_equal(poses.scores[order], results.keypoints[..., 2])
        np.testing.assert_array_equal(poses.person_scores[order], results.scores)
        records = [poses.to_coco(11)[row] for row in order]
        assert records == read_json(inputs.predictions_file)

    def test_poses_stay_in_the_order_of_the_boxes(self, run: Path, photograph: Path) -> None:
        model = PoseModel.from_run(run)
        poses, turned = model.predict(photograph, BOXES), model.predict(photograph, BOXES[::-1])
        assert (len(poses), poses.boxes.tolist()) == (3, BOXES.tolist())
        np.testing.assert_allclose(turned.xy[::-1], poses.xy, atol=1e-3)
        np.testing.assert_array_equal(poses.keypoints["left_wrist"], poses.xy[:, COCO_PERSON.index("left_wrist")])

    def test_without_boxes_the_whole_image_is_one_person(self, run: Path, photograph: Path) -> None:
        model = PoseModel.from_run(run)
        whole, same = model.predict(photograph), model.predict(str(photograph), BOXES[2:].tolist())
        assert whole.boxes.tolist() == [[0, 0, 160, 120]]
        np.testing.assert_array_equal(whole.xy, same.xy)

    def test_no_boxes_are_no_poses(self, run: Path, photograph: Path) -> None:
        poses = PoseModel.from_run(run).predict(photograph, [])
        assert (len(poses), poses.xy.shape, poses.to_coco(1)) == (0, (0, 17, 2), [])

    def test_an_array_is_rgb_and_equal_to_its_file(self, run: Path, photograph: Path) -> None:
        model, pixels = PoseModel.from_run(run), read_image(photograph)
        np.testing.assert_array_equal(model.predict(pixels).scores, model.predict(photograph).scores)
        assert (model.predict(pixels[..., ::-1]).scores != model.predict(photograph).scores).any()

    def test_a_batch_of_files_arrays_and_pil_images_is_each_alone(self, run: Path, photograph: Path) -> None:
        model, pixels = PoseModel.from_run(run), read_image(photograph)
        images = [photograph, pixels, str(photograph), Image.fromarray(pixels)]
        boxes = [BOXES, None, [], BOXES[:1]]
        together = model.predict_batch(images, boxes)
        assert [len(poses) for poses in together] == [3, 1, 0, 1]
        for poses, image, given in zip(together, images, boxes, strict=True):
            alone = model.predict(image, given)
            np.testing.assert_array_equal(poses.boxes, alone.boxes)
            np.testing.assert_allclose(poses.xy, alone.xy, atol=1e-3)
            np.testing.assert_allclose(poses.scores, alone.scores, atol=1e-6)
        assert [len(poses) for poses in model.predict_batch(images)] == [1] * 4
        assert model.predict_batch([]) == []
        with pytest.raises(ValueError, match="shorter"):
            model.predict_batch(images, boxes[:2])

    def test_a_photograph_is_read_as_it_is_displayed(self, run: Path, photograph: Path, tmp_path: Path) -> None:
        model, turned = PoseModel.from_run(run), turned_by_exif(photograph, tmp_path / "turned.jpg")
        upright = np.rot90(read_image(photograph), -1)
        np.testing.assert_array_equal(model.predict(turned).xy, model.predict(upright).xy)
        assert model.predict(turned).boxes.tolist() == [[0, 0, 120, 160]]

    def test_a_model_without_encoder_predicts(self, photograph: Path, tmp_path: Path) -> None:
        model = PoseModel.from_run(write_trained(tmp_path / "plain", encoder=None))
        assert np.isfinite(model.predict(photograph, BOXES).xy).all()
        with pytest.raises(InputError, match="small: encoder: has no attention to explain"):
            model.attention(photograph)

    @pytest.mark.parametrize(
        ("image", "boxes", "refusal"),
        [
            (None, [[500, 0, 10, 10]], r"jpg: box 500,0,10,10: is outside the image, which is 160x120"),
            (None, [[0, 0, 10]], r"jpg: boxes: must be \[N, 4\], not of shape \[1, 3\]"),
            (None, [[0, 0, 0, 10]], "boxes: must be finite, with a width and a height above 0"),
            (None, [[0, np.nan, 9, 10]], "boxes: must be finite"),
            (Path("nowhere.jpg"), None, "nowhere.jpg: no such image"),
            (Path(__file__), None, "not an image that can be decoded"),
            (np.zeros((4, 4, 3)), None, r"image: must be uint8 RGB .*, not float64 of shape \[4, 4, 3\]"),
            (np.zeros((4, 4), dtype=np.uint8), None, "image: must be uint8 RGB"),
        ],
    )
    def test_bad_input_is_one_line(self, run: Path, photograph: Path, image: Any, boxes: Any, refusal: str) -> None:
        with pytest.raises(InputError, match=refusal) as caught:
            PoseModel.from_run(run).predict(photograph if image is None else image, boxes)
        assert "\n" not in str(caught.value)


class TestAttention:
    def test_areas_are_those_of_the_predicted_keypoints_in_the_layer_asked_for(
        self, run: Path, photograph: Path
    ) -> None:
        model = PoseModel.from_run(run)
        first, last = (model.attention(photograph, BOXES, layer) for layer in (0, -1))
        assert last.dependency.shape == last.affected.shape == (3, 17, 4, 3)
        np.testing.assert_allclose(last.dependency.sum(axis=(2, 3)), 1, rtol=1e-5)
        assert (first.dependency != last.dependency).any()
        np.testing.assert_array_equal(last.poses.xy, model.predict(photograph, BOXES).xy)
        np.testing.assert_array_equal(model.attention(photograph, BOXES, 1).dependency, last.dependency)
        center, scale = box_to_center_scale(BOXES, (32, 24))
        affines = crop_affines(center, scale, np.zeros(3), (32, 24))
        maps = model.explain(torch.from_numpy(last.crops), transform_points(affines[:, None], last.poses.xy))
        np.testing.assert_array_equal(maps.affected[:, -1].reshape(3, 17, 4, 3), last.affected)

    def test_it_is_of_full_precision(self, run: Path, photograph: Path) -> None:
        exact = PoseModel.from_run(run)
        rough = PROTOCOL.model_copy(update={"dtype": "bf16"})
        write_run(run / "run.json", protocol=rough)
        model = PoseModel.from_run(run)
        assert (model.context.dtype, model.in_fp32().context.dtype) == ("bf16", "fp32")
        assert exact.in_fp32() is exact
        assert model.attention(photograph).dependency.dtype == np.float32

    @pytest.mark.parametrize("layer", [2, -3])
    def test_a_layer_that_is_not_there_is_one_line(self, run: Path, photograph: Path, layer: int) -> None:
        with pytest.raises(InputError, match=f"small: layer: {layer} is not one of the encoder's 2"):
            PoseModel.from_run(run).attention(photograph, layer=layer)
