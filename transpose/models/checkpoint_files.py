"""Read state dicts from weights files of any trainer, without executing pickled code."""

import pickle
import re
from argparse import Namespace
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from transpose.errors import InputError

PYTORCH_SUFFIXES = (".pth", ".pt", ".ckpt", ".bin", ".tar")
"""Suffixes of files that `torch.save` writes."""

_NUMPY_NUMBERS = (np.float64, np.float32, np.int64, np.int32, np.bool_)


def read_state_dicts(path: Path) -> dict[str, dict[str, Tensor]]:
    """Read the state dicts of a `.safetensors` file or of a file written by `torch.save`.

    Trainers write a state dict next to epochs, arguments and the states of optimisers, under keys such as `state_dict`,
    `model` or `ema`. Every dictionary in the file, at any depth, with a tensor named `*.weight` is a state dict; its
    entries other than tensors are left out. If there is none, the tensors of the outermost dictionary are one.

    Returns:
        State dicts by the keys that lead to them, joined by `/`; "" is the outermost dictionary. One that the file
        contains under several keys is returned once.

    Raises:
        InputError: the file is missing or damaged, has another suffix, contains no named tensors or objects other than
            plain values, or a tensor is sparse, quantised or without values.
    """
    if not path.is_file():
        raise InputError("no such file", file=path)
    if path.suffix == ".safetensors":
        return {"": _read_safetensors(path)}
    if path.suffix in PYTORCH_SUFFIXES:
        return _state_dicts(_load_plain_values(path), path)
    known = ", ".join(PYTORCH_SUFFIXES)
    raise InputError(f"weights are .safetensors, {known} files, not {path.suffix!r}", file=path)


def _state_dicts(content: object, path: Path) -> dict[str, dict[str, Tensor]]:
    tensors = {place: _tensors_of(mapping) for place, mapping in _mappings(content)}
    found = {place: state for place, state in tensors.items() if any(key.endswith(".weight") for key in state)}
    if not found and tensors.get(""):
        found = {"": tensors[""]}
    if not found:
        raise InputError("contains no named tensors", file=path)
    for place, state in found.items():
        for key, tensor in state.items():
            problem = _problem_of(tensor)
            if problem is not None:
                raise InputError(problem, file=path, record=place or None, field=key)
    return found


def _mappings(content: object) -> Iterator[tuple[str, Mapping[object, object]]]:
    """Yield every dictionary below text keys, once, with the keys that lead to it; the outermost come first."""
    waiting, seen = deque([("", content)]), set[int]()
    while waiting:
        place, value = waiting.popleft()
        if not isinstance(value, Mapping) or id(value) in seen:
            continue
        seen.add(id(value))
        yield place, value
        waiting.extend((f"{place}/{key}" if place else key, inner) for key, inner in value.items() if _is_text(key))


def _is_text(key: object) -> bool:
    return isinstance(key, str)


def _tensors_of(mapping: Mapping[object, object]) -> dict[str, Tensor]:
    return {key: value for key, value in mapping.items() if isinstance(key, str) and isinstance(value, Tensor)}


def _problem_of(tensor: Tensor) -> str | None:
    if tensor.is_meta:
        return "has no values (meta tensor)"
    if tensor.is_quantized:
        return "is quantised; save tensor.dequantize()"
    if tensor.is_nested or tensor.layout != torch.strided:
        return f"has the layout {tensor.layout}; save a dense tensor"
    return None


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"not a safetensors file: {error}", file=path) from None


def _load_plain_values(path: Path) -> object:
    try:
        with torch.serialization.safe_globals(_plain_classes()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(_refusal(str(error), path), file=path) from None
    except Exception as error:  # a damaged file can raise nearly anything in the unpickler
        if "TorchScript" in str(error):
            problem = f"a TorchScript archive; save torch.jit.load({path.name!r}).state_dict()"
            raise InputError(problem, file=path) from None
        problem = f"not a PyTorch checkpoint: {str(error) or 'the file is empty or damaged'}"
        raise InputError(problem, file=path) from None


def _plain_classes() -> list[Callable[..., object] | tuple[Callable[..., object], str]]:
    """Return classes without code of their own that trainers save next to the weights: arguments and scores."""
    scalar: Any = np.float64(0).__reduce__()[0]
    # NumPy 2 has renamed the module.
    scalars = [(scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")]
    return [Namespace, np.dtype, *(type(np.dtype(number)) for number in _NUMPY_NUMBERS), *scalars]


def _refusal(error: str, path: Path) -> str:
    problem = "not a PyTorch checkpoint of plain tensors"
    found = re.search(r"GLOBAL ([\w.]+)", error)
    if found is None:
        return problem
    convert = f"torch.save(torch.load({path.name!r}, weights_only=False)['state_dict'], 'weights.pth')"
    return f"{problem}: contains {found[1]}; if you trust the file, convert it where it was written: {convert}"
