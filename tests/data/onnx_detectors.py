"""Small ONNX models with the inputs and outputs of published detectors. They find what is red."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Shape = list[int | str]

_KINDS = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}

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
    outputs: dict[str, tuple[int, Shape]] = {
        "dets": (TensorProto.FLOAT, ["batch", "num_dets", 5]),
        "labels": (TensorProto.INT64, ["batch", "num_dets"]),
    }
    _write(path, nodes, constants, ("input", ["batch", 3, *size_hw]), outputs)


def write_output_model(
    path: Path, input_name: str, input_shape: Shape, outputs: dict[str, tuple[Shape, np.ndarray]], scores: str
) -> None:
    """Outputs of any form, by name, with their declared shapes.

    Args:
        scores: output whose values are multiplied by the mean of the canvas's first channel.
    """
    nodes = [
        helper.make_node("Gather", [input_name, "first_channel"], ["first"], axis=1),
        helper.make_node("ReduceMean", ["first"], ["mean"], keepdims=0),
    ]
    for name in outputs:
        given = [f"all_{name}", "mean"]
        nodes.append(helper.make_node("Mul", given, [name]) if name == scores else _identity(name))
    _write(
        path,
        nodes,
        {"first_channel": np.array([0], dtype=np.int64), **{f"all_{name}": one for name, (_, one) in outputs.items()}},
        (input_name, input_shape),
        {name: (_KINDS[values.dtype.name], shape) for name, (shape, values) in outputs.items()},
    )


def write_model_with_sizes(path: Path, size_hw: tuple[int, int], boxes: np.ndarray, scores: np.ndarray) -> None:
    """RT-DETR and D-FINE as their authors export them: relative boxes [1, n, 4] (corners) times the sizes given."""
    count = boxes.shape[1]
    nodes = [
        helper.make_node("Cast", ["orig_target_sizes"], ["sizes"], to=TensorProto.FLOAT),
        helper.make_node("Concat", ["sizes", "sizes"], ["factors"], axis=1),
        helper.make_node("Unsqueeze", ["factors", "middle"], ["per_box"]),
        helper.make_node("Mul", ["all_boxes", "per_box"], ["boxes"]),
        helper.make_node("Gather", ["images", "first_channel"], ["first"], axis=1),
        helper.make_node("ReduceMean", ["first"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["all_scores", "mean"], ["scores"]),
        _identity("labels"),
    ]
    constants = {
        "middle": np.array([1], dtype=np.int64),
        "first_channel": np.array([0], dtype=np.int64),
        "all_boxes": boxes.astype(np.float32),
        "all_scores": scores.astype(np.float32),
        "all_labels": np.zeros((1, count), dtype=np.int64),
    }
    outputs: dict[str, tuple[int, Shape]] = {
        "labels": (TensorProto.INT64, ["N", count]),
        "boxes": (TensorProto.FLOAT, ["N", count, 4]),
        "scores": (TensorProto.FLOAT, ["N", count]),
    }
    sizes = helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, ["N", 2])
    _write(path, nodes, constants, ("images", ["N", 3, *size_hw]), outputs, [sizes])


def _identity(name: str) -> onnx.NodeProto:
    return helper.make_node("Identity", [f"all_{name}"], [name])


def _write(
    path: Path,
    nodes: list[onnx.NodeProto],
    constants: dict[str, np.ndarray],
    given: tuple[str, Shape],
    outputs: dict[str, tuple[int, Shape]],
    other_inputs: Sequence[onnx.ValueInfoProto] = (),
) -> None:
    graph = helper.make_graph(
        nodes,
        "detector",
        [helper.make_tensor_value_info(given[0], TensorProto.FLOAT, given[1]), *other_inputs],
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in outputs.items()],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
