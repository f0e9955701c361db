"""Exported networks in the user's cache folder, which later predictions with the same weights use."""

from contextlib import suppress
from importlib import metadata
from pathlib import Path

from transpose.config.exported import SUFFIXES, ExportFormat
from transpose.export.network import OtherSize
from transpose.export.write import export_model
from transpose.files import digest_of_value, sha256_of_file, user_cache
from transpose.pose_model import PoseModel
from transpose.provenance import CACHE, PackageCode

_WRITER = "transpose.export.write"
_LIBRARIES = ("torch", "onnx", "onnxscript", "openvino")


def cached_export(model: PoseModel, file_format: ExportFormat, other: OtherSize | None = None) -> Path:
    """Return a file of the network of a model, which returns heatmaps; it is written if the cache does not have it.

    A file belongs to the weights, variant and input size, and to the versions of this code and of the libraries that
    wrote it.

    Raises:
        InputError: the weights no longer exist, or the file cannot be written.
        ModuleNotFoundError: a package that writes the format is not installed.
    """
    code = _code_of_writer()
    size = None if other is None else [other.input_size, other.recomputes_position]
    made_from = [sha256_of_file(model.weights), model.variant.model_dump(mode="json"), len(model.skeleton), size]
    name = f"{model.recipe.name}-{digest_of_value([made_from, code, _versions()])[:16]}{SUFFIXES[file_format]}"
    path = user_cache() / "exported" / name
    if not path.is_file():
        export_model(model, file_format, "heatmaps", path, package_version=code, other=other)
    return path


def _code_of_writer() -> str:
    return PackageCode(cache=CACHE if CACHE.parent.is_dir() else None).digest(_WRITER)


def _versions() -> dict[str, str]:
    found = {}
    for name in _LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found
