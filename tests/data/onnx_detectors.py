"""Small ONNX models with the inputs and outputs of the published YOLOX exports. They find what is red."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RED = 2
"""Position of red among the canvas's channels, which are blue, green, red."""


def write_head_model(
    path: Path, size_hw: tuple[int, int], log_sides: tuple[float, float] = (1.0, 2.0), categories: int = 2
) -> None:
    """A bare head: each cell's objectness is how red it is, its box centred 0.5, 0.25 cells from its corner.

    Args:
        log_sides: logarithms of width and height of all boxes, in cells. The first category's score is 0.5, the
            others' 1.
    """
    nodes = [
        helper.make_node("Gather", ["images", "red_channel"], ["red"], axis=1),
        helper.make_node("Div", ["red", "full"], ["redness"]),
    ]
    for stride in (8, 16, 32):
        sides = [stride, stride]
        nodes.append(
            helper.make_node("AveragePool", ["redness"], [f"pooled{stride}"], kernel_shape=sides, strides=sides)
        )
        nodes.append(helper.make_node("Reshape", [f"pooled{stride}", "column"], [f"objectness{stride}"]))
    cells = sum((size_hw[0] // stride) * (size_hw[1] // stride) for stride in (8, 16, 32))
    nodes += [
        helper.make_node("Concat", [f"objectness{stride}" for stride in (8, 16, 32)], ["objectness"], axis=1),
        helper.make_node("Concat", ["boxes", "objectness", "scores"], ["output"], axis=2),
    ]
    constants = {
        "red_channel": np.array([RED], dtype=np.int64),
        "full": np.array(255, dtype=np.float32),
        "column": np.array([1, -1, 1], dtype=np.int64),
        "boxes": np.tile(np.array([0.5, 0.25, *log_sides], dtype=np.float32), (1, cells, 1)),
        "scores": np.tile(np.array([0.5] + [1.0] * (categories - 1), dtype=np.float32), (1, cells, 1)),
    }
    _write(
        path,
        nodes,
        constants,
        ("images", [1, 3, *size_hw]),
        {"output": (TensorProto.FLOAT, [1, cells, 5 + categories])},
    )


def write_end_to_end_model(
    path: Path, size_hw: tuple[int, int], boxes_xyxy: list[list[float]], scores: list[float], labels: list[int]
) -> None:
    """Boxes that are always found, as after suppression; their scores are multiplied by the canvas's mean redness."""
    nodes = [
        helper.make_node("Gather", ["input", "red_channel"], ["red"], axis=1),
        helper.make_node("ReduceMean", ["red"], ["mean"], keepdims=0),
        helper.make_node("Div", ["mean", "full"], ["redness"]),
        helper.make_node("Mul", ["scores", "redness"], ["seen"]),
        helper.make_node("Concat", ["boxes", "seen"], ["dets"], axis=2),
        helper.make_node("Identity", ["all_labels"], ["labels"]),
    ]
    constants = {
        "red_channel": np.array([RED], dtype=np.int64),
        "full": np.array(255, dtype=np.float32),
        "boxes": np.array(boxes_xyxy, dtype=np.float32).reshape(1, -1, 4),
        "scores": np.array(scores, dtype=np.float32).reshape(1, -1, 1),
        "all_labels": np.array([labels], dtype=np.int64),
    }
    outputs = {
        "dets": (TensorProto.FLOAT, ["batch", "num_dets", 5]),
        "labels": (TensorProto.INT64, ["batch", "num_dets"]),
    }
    _write(path, nodes, constants, ("input", ["batch", 3, *size_hw]), outputs)


def _write(
    path: Path,
    nodes: list[onnx.NodeProto],
    constants: dict[str, np.ndarray],
    given: tuple[str, list[int | str]],
    outputs: dict[str, tuple[int, list[int | str]]],
) -> None:
    graph = helper.make_graph(
        nodes,
        "detector",
        [helper.make_tensor_value_info(given[0], TensorProto.FLOAT, given[1])],
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in outputs.items()],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
