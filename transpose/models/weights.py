"""Read and write weights with the official names; loading is strict and errors name the key."""

import json
import os
import pickle
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from transpose.config.variant import Variant
from transpose.errors import InputError
from transpose.files import atomic_path
from transpose.models.resnet import ResNet
from transpose.models.transpose import TransPose
from transpose.models.variants import build_model

_OFFICIAL_PREFIXES = {"backbone.": "", "upsampling.": "deconv_layers."}
_PARTS_BEYOND_BACKBONE = ("pos_embedding", "reduce.", "global_encoder.", "deconv_layers.", "final_layer.")
_METADATA_ENTRY = "transpose"
_LARGEST_SINE = 1 + 1e-6


def official_state_dict(model: TransPose) -> dict[str, Tensor]:
    """Return every tensor of the model by its name in the official checkpoints."""
    return {_official_name(name): tensor for name, tensor in model.state_dict().items()}


def load_official(model: TransPose, state: Mapping[str, Tensor], source: object) -> None:
    """Copy tensors with official names into the model; errors name `source`.

    Raises:
        InputError: a key is missing or unexpected, or has another shape or dtype; the model is unchanged.
    """
    own = official_state_dict(model)
    _check(own, state, source)
    _copy(own, state)


def save_weights(model: TransPose, path: Path, metadata: Mapping[str, str]) -> None:
    """Write all weights of the model as safetensors with official names, atomically."""
    save_tensors(official_state_dict(model), path, metadata)


def save_tensors(state: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str]) -> None:
    """Write named tensors as safetensors, atomically; equal tensors and metadata give equal bytes."""
    tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in state.items()}
    # A single entry, because the library writes several in random order and equal weights must give equal bytes.
    entry = {_METADATA_ENTRY: json.dumps(dict(metadata), sort_keys=True)}
    with atomic_path(path) as temporary:
        try:
            save_file(tensors, temporary, entry)
        except SafetensorError as error:
            raise _as_os_error(error) from None


def load_weights(model: TransPose, path: Path) -> None:
    """Load all weights of a model from a file written by `save_weights` or an official checkpoint.

    Raises:
        InputError: the file cannot be read or does not fit the model; the model is unchanged.
    """
    load_official(model, read_checkpoint(path), path)


def load_to_fine_tune(model: TransPose, path: Path) -> list[str]:
    """Load weights for fine-tuning on other keypoints or input sizes.

    The final layer and a fixed sine position embedding keep the model's values. All other tensors must fit.

    Returns:
        Official names of the tensors that were not loaded.

    Raises:
        InputError: the file cannot be read or does not fit, for example a learnable position embedding of another grid;
            the model is unchanged.
    """
    own, state = official_state_dict(model), read_checkpoint(path)
    kept = [key for key in own if key.startswith("final_layer.")]
    if not isinstance(model.pos_embedding, nn.Parameter) and "pos_embedding" in own:
        kept.append("pos_embedding")
    for key in kept:
        if key not in state:
            raise InputError(path, None, key, "missing; these are not the weights of a whole model of this kind")
        if key == "pos_embedding" and not state[key].abs().max() <= _LARGEST_SINE:
            raise InputError(path, None, key, "is not the fixed sine embedding that this model has")
    taken = {key: tensor for key, tensor in own.items() if key not in kept}
    _check(taken, {key: tensor for key, tensor in state.items() if key not in kept}, path)
    _copy(taken, state)
    return sorted(kept)


def save_backbone(model: TransPose, path: Path, metadata: Mapping[str, str]) -> None:
    """Write only the backbone's weights, for `load_backbone`, atomically."""
    save_tensors(model.backbone.state_dict(), path, metadata)


def export_backbone(variant: Variant, weights: Path, description: str, output: Path) -> None:
    """Write the backbone of a trained variant as pretrained weights, with a description for the tables.

    Raises:
        InputError: the weights cannot be read or do not fit the variant.
    """
    state = read_checkpoint(weights)
    if "final_layer.bias" not in state:
        raise InputError(weights, None, "final_layer.bias", "missing; these are not the weights of a whole model")
    model = build_model(variant, keypoints=state["final_layer.bias"].numel())
    load_official(model, state, weights)
    save_backbone(model, output, {"description": description})


def load_backbone(model: TransPose, path: Path) -> None:
    """Load pretrained backbone weights: of this project, of a full model, or the official ImageNet weights.

    Only parts that this model's backbone does not have are ignored: a classifier, later stages, the branches that the
    last exchange module drops, and the parts of a TransPose model after the backbone. Checkpoints from before PyTorch
    0.4.1 lack `num_batches_tracked`, which is then left unchanged.

    Raises:
        InputError: the file cannot be read or does not fit the backbone; the model is unchanged.
    """
    is_dropped = _dropped_parts(model)
    state = {key: tensor for key, tensor in read_checkpoint(path).items() if not is_dropped(key)}
    own: dict[str, Tensor] = dict(model.backbone.state_dict())
    if not any(key.endswith("num_batches_tracked") for key in state):
        own = {key: tensor for key, tensor in own.items() if not key.endswith("num_batches_tracked")}
    _check(own, state, path)
    _copy(own, state)


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Read the named tensors of a `.safetensors` or `.pth` file, without executing pickled code.

    Raises:
        InputError: the file is missing or damaged, has another suffix, or contains anything other than named tensors.
    """
    if not path.is_file():
        raise InputError(path, None, None, "no such file")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    if path.suffix == ".pth":
        return _read_pth(path)
    raise InputError(path, None, None, f"weights are .safetensors or .pth files, not {path.suffix!r}")


def read_metadata(path: Path) -> dict[str, str]:
    """Read the metadata that `save_weights` wrote to a safetensors file.

    Raises:
        InputError: the file is missing or damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except FileNotFoundError:
        raise InputError(path, None, None, "no such file") from None
    except (OSError, SafetensorError) as error:
        raise InputError(path, None, None, f"not a safetensors file: {error}") from None
    try:
        content = json.loads(metadata.get(_METADATA_ENTRY, "{}"))
    except (ValueError, RecursionError) as error:
        raise InputError(path, None, _METADATA_ENTRY, f"not JSON: {error}") from None
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise InputError(path, None, _METADATA_ENTRY, "must be an object with string values")
    return content


def _official_name(name: str) -> str:
    for prefix, official in _OFFICIAL_PREFIXES.items():
        if name.startswith(prefix):
            return official + name.removeprefix(prefix)
    return name


def _dropped_parts(model: TransPose) -> Callable[[str], bool]:
    """Return a function that is true for keys of parts that checkpoints can contain but this backbone lacks."""
    backbone = model.backbone
    prefixes = [*_PARTS_BEYOND_BACKBONE, "fc."]
    if isinstance(backbone, ResNet):
        prefixes += [f"layer{number}." for number in range(len(backbone.stage_names) + 1, 5)]
    else:
        last = backbone.last_stage
        for stage in range(last + 1, 5):
            prefixes += [f"transition{stage - 1}.", f"stage{stage}."]
        *_, last_module = [name for name, _ in backbone.get_submodule(f"stage{last}").named_children()]
        prefixes += [f"stage{last}.{last_module}.fuse_layers.{branch}." for branch in range(1, last)]
    return lambda key: key.startswith(tuple(prefixes))


def _check(own: Mapping[str, Tensor], state: Mapping[str, Tensor], source: object) -> None:
    for key, tensor in own.items():
        if key not in state:
            raise InputError(source, None, key, "missing")
        if state[key].shape != tensor.shape:
            raise InputError(source, None, key, f"shape {list(state[key].shape)}, not {list(tensor.shape)}")
        if state[key].is_floating_point() != tensor.is_floating_point():
            raise InputError(source, None, key, f"dtype is {state[key].dtype}, not {tensor.dtype}")
    for key in state:
        if key not in own:
            raise InputError(source, None, key, "not part of this model")


@torch.no_grad()
def _copy(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    for key, tensor in own.items():
        tensor.copy_(state[key])


def _as_os_error(error: SafetensorError) -> Exception:
    """Convert the library's message for an OS error to an `OSError` with its number."""
    found = re.search(r"\(os error (\d+)\)", str(error))
    return OSError(int(found[1]), os.strerror(int(found[1]))) if found else error


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(path, None, None, f"not a safetensors file: {error}") from None


def _read_pth(path: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise InputError(path, None, None, "not a PyTorch checkpoint of plain tensors") from None
    except Exception as error:  # a damaged file can raise nearly anything in the unpickler
        raise InputError(path, None, None, f"not a PyTorch checkpoint: {error}") from None
    if not isinstance(state, Mapping):
        raise InputError(path, None, None, "contains no named tensors")
    for key, tensor in state.items():
        if not isinstance(key, str) or not isinstance(tensor, Tensor):
            raise InputError(path, None, str(key), "not a tensor")
    return dict(state)
