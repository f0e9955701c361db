"""The input of a detector: one canvas, of the configured or the model's own size, and for some the size of boxes."""

from pathlib import Path

import pytest

from transpose.data.detector_model import DetectorModel, canvas_size
from transpose.data.detector_outputs import Port
from transpose.errors import InputError

MODEL = Path("model.onnx")
Shape = list[int | str | None]


def size_of(shapes: list[Shape], wanted: tuple[int, int] | None) -> tuple[int, int]:
    return canvas_size([Port("images", shape) for shape in shapes], wanted, MODEL)


def test_inputs_must_be_one_canvas_of_the_size() -> None:
    assert size_of([[1, 3, 64, 32]], (64, 32)) == (64, 32)
    assert size_of([["batch", 3, None, "width"]], (64, 32)) == (64, 32)
    assert size_of([["N", 3, 64, 32], ["N", 2]], (64, 32)) == (64, 32)
    wrong: list[list[Shape]] = [
        [[1, 3, 32, 64]],
        [[1, 1, 64, 32]],
        [[2, 3, 64, 32]],
        [[3, 64, 32]],
        [],
        [[1, 3, 64, 32], [1, 3, 64, 32]],
        [[1, 3, 64, 32], [1, 4]],
    ]
    for shapes in wrong:
        with pytest.raises(InputError, match=r"inputs: must be \[1, 3, 64, 32\], not .*: check input_size"):
            size_of(shapes, (64, 32))


def test_without_a_size_the_models_own_is_used() -> None:
    assert size_of([[1, 3, 416, 320]], None) == (416, 320)
    assert size_of([["batch", 3, "height", "width"]], None) == (640, 640)
    with pytest.raises(InputError, match=r"inputs: must be .*'height', 'width'"):
        size_of([[1, 1, 64, 32]], None)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.onnx: no such file"):
        DetectorModel(tmp_path / "none.onnx", 0.3)
