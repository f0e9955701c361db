"""Exported files describe themselves and take any number of crops."""

import json
from pathlib import Path

import onnx
import pytest

from tests.export.conftest import Exported
from transpose.config.exported import DESCRIPTION, ExportedDescription, ExportFormat
from transpose.errors import InputError
from transpose.export.write import export_model
from transpose.files import sha256_of_file
from transpose.pose_model import PoseModel

pytest.importorskip("onnxscript")


def test_an_onnx_file_is_valid_and_has_its_description(model: PoseModel, exported: Exported) -> None:
    path = exported.file("onnx")
    content = onnx.load(path)
    onnx.checker.check_model(content, full_check=True)
    metadata = {entry.key: entry.value for entry in content.metadata_props}
    description = ExportedDescription.model_validate(json.loads(metadata[DESCRIPTION]))
    assert (description.skeleton, description.protocol) == (model.skeleton, model.protocol)
    assert (description.variant, description.package_version) == (model.recipe.name, "1.2.3")
    assert description.weights_sha256 == sha256_of_file(model.weights)
    assert not list(path.parent.glob(".*"))


def test_input_and_output_have_names_and_a_dynamic_batch(model: PoseModel, exported: Exported) -> None:
    graph = onnx.load(exported.file("onnx")).graph
    shapes = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }
    assert shapes == {
        "crops": ["batch", *model.variant.input_size, 3],
        "heatmaps": ["batch", len(model.skeleton), *model.variant.heatmap_size],
    }


@pytest.mark.parametrize(("file_format", "suffix"), [("onnx", ".xml"), ("openvino", ".onnx"), ("torch.export", "")])
def test_the_suffix_must_be_that_of_the_format(
    model: PoseModel, tmp_path: Path, file_format: ExportFormat, suffix: str
) -> None:
    with pytest.raises(InputError, match=f"a file of the format {file_format} ends in"):
        export_model(model, file_format, "heatmaps", tmp_path / f"model{suffix}", "1.2.3")
    assert not list(tmp_path.iterdir())
