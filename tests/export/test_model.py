"""Exported files predict as the model that they were exported from."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from tests.export.conftest import Exported
from transpose.config.exported import ExportFormat
from transpose.data.photographs import photographs_folder
from transpose.errors import InputError
from transpose.export.model import load_exported, mean_with_mirrored
from transpose.inference import flip
from transpose.pose_model import PoseModel
from transpose.skeleton import COCO_PERSON

PHOTOGRAPH = photographs_folder() / "images" / "000000214753.jpg"
BOXES = np.array([[232.6, 126.0, 63.4, 121.9], [360.3, 114.8, 57.2, 134.8], [0.0, 0.0, 400.0, 300.0]])
PACKAGES = {"onnx": "onnxscript", "torch.export": "torch", "openvino": "openvino"}
WITHOUT_TORCH = """
import sys
from transpose.cli import main
sys.argv = ["transpose", *sys.argv[1:]]
main()
assert "torch" not in sys.modules
"""


@pytest.mark.parametrize("file_format", PACKAGES)
class TestEveryFormat:
    @pytest.fixture(autouse=True)
    def has_its_package(self, file_format: ExportFormat) -> None:
        pytest.importorskip(PACKAGES[file_format])

    def test_poses_are_those_of_the_pose_model(
        self, model: PoseModel, exported: Exported, file_format: ExportFormat
    ) -> None:
        expected, found = (one.predict(PHOTOGRAPH, BOXES) for one in (model, load_exported(exported.file(file_format))))
        assert found.skeleton == expected.skeleton
        np.testing.assert_array_equal(found.boxes, expected.boxes)
        np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-4)
        np.testing.assert_allclose(found.person_scores, expected.person_scores, rtol=1e-4)
        # A step on a noisy map is sensitive; the median is not.
        assert np.median(np.abs(found.xy - expected.xy)) < 1e-3

    @pytest.mark.slow
    def test_keypoints_are_those_of_the_heatmaps(self, exported: Exported, file_format: ExportFormat) -> None:
        expected, found = (
            load_exported(exported.file(file_format, returns)).predict(PHOTOGRAPH, BOXES)
            for returns in ("heatmaps", "keypoints")
        )
        np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-4)
        assert np.median(np.abs(found.xy - expected.xy)) < 1e-3

    def test_any_number_of_crops(self, model: PoseModel, exported: Exported, file_format: ExportFormat) -> None:
        session = load_exported(exported.file(file_format))
        for count in (1, 3):
            crops = np.random.default_rng(count).integers(0, 256, (count, *model.variant.input_size, 3), np.uint8)
            expected = model.predict_heatmaps(torch.from_numpy(crops)).numpy()
            np.testing.assert_allclose(
                session.predict_heatmaps(crops), expected, atol=1e-5 * float(np.abs(expected).max())
            )
        assert len(session.predict(PHOTOGRAPH, np.zeros((0, 4)))) == 0


def test_the_mean_with_the_mirrored_maps_is_that_of_tensors() -> None:
    maps, mirrored = np.random.default_rng(0).standard_normal((2, 2, 17, 8, 6), dtype=np.float32)
    expected = flip.mean_with_mirrored(torch.from_numpy(maps), torch.from_numpy(mirrored), COCO_PERSON).numpy()
    np.testing.assert_array_equal(mean_with_mirrored(maps, mirrored, COCO_PERSON), expected)


def test_the_command_predicts_without_pytorch(exported: Exported, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    arguments = [PHOTOGRAPH, "--box", "232,126,63,121", "--model", exported.file("onnx"), "--output", tmp_path / "out"]
    command = [sys.executable, "-c", WITHOUT_TORCH, "predict", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "overlays" / f"{PHOTOGRAPH.stem}.png").is_file()


class TestRefusals:
    def test_a_file_of_another_exporter(self, tmp_path: Path) -> None:
        value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
        graph = onnx.helper.make_graph(
            [onnx.helper.make_node("Identity", ["x"], ["y"])],
            "other",
            [value],
            [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])],
        )
        other = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
        onnx.save(other, tmp_path / "other.onnx")
        with pytest.raises(InputError, match=r"other\.onnx: was not written by `transpose export`"):
            load_exported(tmp_path / "other.onnx")

    @pytest.mark.parametrize(("text", "refusal"), [("{", "its description is not JSON"), ("{}", "variant: Field req")])
    def test_a_damaged_description(self, exported: Exported, tmp_path: Path, text: str, refusal: str) -> None:
        pytest.importorskip("onnxscript")
        content = onnx.load(exported.file("onnx"))
        content.metadata_props[0].value = text
        onnx.save(content, tmp_path / "damaged.onnx")
        with pytest.raises(InputError, match=refusal):
            load_exported(tmp_path / "damaged.onnx")

    @pytest.mark.parametrize(
        ("name", "refusal"),
        [
            ("nowhere.onnx", "nowhere.onnx: no such file"),
            ("text.onnx", "text.onnx: onnxruntime cannot load it: "),
            ("text.pt2", "text.pt2: PyTorch cannot load it: "),
            ("text.xml", "text.xml: OpenVINO cannot load it: "),
            ("alone.xml", "alone.bin: no such file; it has the weights"),
            ("text.tflite", r"text.tflite: must end in \.onnx, \.pt2, \.xml"),
        ],
    )
    def test_what_is_no_model(self, tmp_path: Path, name: str, refusal: str) -> None:
        if name.endswith("xml"):
            pytest.importorskip("openvino")
        for file in ("text.onnx", "text.pt2", "text.xml", "text.bin", "text.tflite", "alone.xml"):
            (tmp_path / file).write_text("no model")
        with pytest.raises(InputError, match=refusal) as caught:
            load_exported(tmp_path / name)
        assert "\n" not in str(caught.value)
