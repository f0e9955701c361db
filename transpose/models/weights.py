"""Read and write weights with the official names; loading is strict and errors name the key."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from transpose.config.variant import Variant
from transpose.errors import InputError
from transpose.files import atomic_path
from transpose.models.checkpoint_files import read_state_dicts
from transpose.models.matching import Wanted, copy_tensors, matching_tensors, only_state_dict, problems
from transpose.models.transpose import TransPose
from transpose.models.variants import build_model

_OFFICIAL_PREFIXES = {"backbone.": "", "upsampling.": "deconv_layers."}
_PARTS_BEYOND_BACKBONE = ("pos_embedding", "reduce.", "global_encoder.", "deconv_layers.", "final_layer.")
_CLASSIFIERS = ("fc.", "incre_modules.", "downsamp_modules.", "classifier.")
_METADATA_ENTRY = "transpose"
_KEYPOINTS = "keypoints"
"""Metadata with the keypoints that the channels of the last layer are for, in order."""
_LARGEST_SINE = 1 + 1e-6


def official_state_dict(model: TransPose) -> dict[str, Tensor]:
    """Return every tensor of the model by its name in the official checkpoints."""
    return {_official_name(name): tensor for name, tensor in model.state_dict().items()}


def load_official(model: TransPose, state: Mapping[str, Tensor], source: object) -> None:
    """Copy tensors with official names into the model; errors name `source`.

    Raises:
        InputError: keys are missing or unexpected, have another shape or dtype, or values that are not finite; the
            model is unchanged.
    """
    own = official_state_dict(model)
    found = problems(Wanted(own), state)
    if found:
        raise InputError("; ".join(found), file=source)
    copy_tensors(own, state, source)


def save_weights(
    model: TransPose, path: Path, metadata: Mapping[str, str], keypoints: Sequence[str] | None = None
) -> None:
    """Write all weights of the model as safetensors with official names, atomically.

    Args:
        keypoints: what the last layer predicts. A training for exactly these keypoints that starts from the file keeps
            its last layer; without them, every training begins with a new one.
    """
    save_tensors(official_state_dict(model), path, {**metadata, **(named_keypoints(keypoints) if keypoints else {})})


def named_keypoints(keypoints: Sequence[str]) -> dict[str, str]:
    """Return the metadata that name the keypoints of a weights file."""
    return {_KEYPOINTS: ",".join(keypoints)}


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
    """Load all weights of a model from a file written by `save_weights`, or a checkpoint with the official names.

    Keys and prefixes that trainers put around the names are removed (`models.matching.matching_tensors`).

    Raises:
        InputError: the file cannot be read or does not fit the model; the model is unchanged.
    """
    own = official_state_dict(model)
    copy_tensors(own, matching_tensors(Wanted(own), read_state_dicts(path), path), path)


def load_to_fine_tune(model: TransPose, path: Path, keypoints: Sequence[str] | None = None) -> list[str]:
    """Load weights for fine-tuning on other keypoints or input sizes.

    The final layer keeps the model's values unless the file names exactly its keypoints; so does a fixed sine position
    embedding. All other tensors must fit.

    Args:
        keypoints: what the model predicts; None keeps the model's final layer.

    Returns:
        Official names of the tensors that were not loaded.

    Raises:
        InputError: the file cannot be read or does not fit, for example a learnable position embedding of another grid;
            the model is unchanged.
    """
    own, states = official_state_dict(model), read_state_dicts(path)
    is_for_these = keypoints is not None and named_keypoints(keypoints).items() <= read_metadata(path).items()
    kept = [] if is_for_these else [key for key in own if key.startswith("final_layer.")]
    if not isinstance(model.pos_embedding, nn.Parameter) and "pos_embedding" in own:
        kept.append("pos_embedding")
    taken = {key: tensor for key, tensor in own.items() if key not in kept}
    state = matching_tensors(Wanted(taken, not_taken=tuple(kept)), states, path)
    if "pos_embedding" in kept and not _can_be_sine(state["pos_embedding"]):
        raise InputError("is not the fixed sine embedding that this model has", file=path, field="pos_embedding")
    copy_tensors(own, {key: state[key] for key in taken}, path)
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
        raise InputError("missing; these are not the weights of a whole model", file=weights, field="final_layer.bias")
    model = build_model(variant, keypoints=state["final_layer.bias"].numel())
    load_official(model, state, weights)
    save_backbone(model, output, {"description": description})


def load_backbone(model: TransPose, path: Path) -> None:
    """Load pretrained backbone weights: of this project, of a full model, ImageNet weights, or of another trainer.

    Keys and prefixes that trainers put around the names are removed (`models.matching.matching_tensors`). Only parts
    that this model's backbone does not have are ignored: a classifier, later stages, the branches that the last
    exchange module drops, and the parts of a TransPose model after the backbone. Checkpoints from before PyTorch 0.4.1
    lack `num_batches_tracked`, which is then left unchanged.

    Raises:
        InputError: the file cannot be read or does not fit the backbone; the model is unchanged.
    """
    own: dict[str, Tensor] = dict(model.backbone.state_dict())
    ignored = (*_PARTS_BEYOND_BACKBONE, *_CLASSIFIERS, *model.backbone.left_out)
    wanted = Wanted(own, ignored=ignored, counters_optional=True)
    copy_tensors(own, matching_tensors(wanted, read_state_dicts(path), path), path)


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Read the named tensors of a weights file, without executing pickled code.

    Raises:
        InputError: the file cannot be read (see `models.checkpoint_files.read_state_dicts`), or contains several state
            dicts that differ.
    """
    return only_state_dict(read_state_dicts(path), path)


def read_metadata(path: Path) -> dict[str, str]:
    """Read the metadata that `save_weights` wrote to a safetensors file; files of other formats have none.

    Raises:
        InputError: the file is missing or damaged.
    """
    if path.suffix != ".safetensors":
        return {}
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except FileNotFoundError:
        raise InputError("no such file", file=path) from None
    except (OSError, SafetensorError) as error:
        raise InputError(f"not a safetensors file: {error}", file=path) from None
    try:
        content = json.loads(metadata.get(_METADATA_ENTRY, "{}"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON: {error}", file=path, field=_METADATA_ENTRY) from None
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise InputError("must be an object with string values", file=path, field=_METADATA_ENTRY)
    return content


def _official_name(name: str) -> str:
    for prefix, official in _OFFICIAL_PREFIXES.items():
        if name.startswith(prefix):
            return official + name.removeprefix(prefix)
    return name


def _can_be_sine(embedding: Tensor) -> bool:
    return embedding.is_floating_point() and embedding.numel() > 0 and bool(embedding.abs().max() <= _LARGEST_SINE)


def _as_os_error(error: SafetensorError) -> Exception:
    """Convert the library's message for an OS error to an `OSError` with its number."""
    found = re.search(r"\(os error (\d+)\)", str(error))
    return OSError(int(found[1]), os.strerror(int(found[1]))) if found else error
