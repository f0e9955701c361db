"""Make a trained run the packaged model, which `transpose.load()` uses by default.

    python -m tools.package_model results/pretrain/train/b_sine/seed0

Tensors whose numbers half precision holds exactly, as those of a frozen backbone from a file in half precision, are
written in it. The model computes in single precision all the same.
"""

import argparse
import sys
from pathlib import Path

import torch
from torch import Tensor

from transpose.config.load import read_record
from transpose.config.run_record import RunRecord, WeightsWritten
from transpose.errors import InputError
from transpose.files import atomic_paths, sha256_of_file, write_json
from transpose.models.weights import read_checkpoint, read_metadata, save_tensors
from transpose.study.layout import RunFolder

PACKAGED = Path(__file__).parents[1] / "transpose" / "models" / "pretrained" / "pose"


def package_model(run: Path, output: Path) -> None:
    """Write the weights and the record of a run to the folder `output`.

    Raises:
        InputError: the run is incomplete or its weights are not those of its record.
    """
    source, target = RunFolder(run), RunFolder(output)
    record = read_record(RunRecord, source.record)
    if record.weights is None or sha256_of_file(source.weights) != record.weights.best_sha256:
        raise InputError("not the weights of run.json", file=source.weights)
    state = {name: smallest(tensor) for name, tensor in read_checkpoint(source.weights).items()}
    with atomic_paths(target.weights, target.record) as (weights, path):
        save_tensors(state, weights, read_metadata(source.weights))
        digests = WeightsWritten(best_sha256=sha256_of_file(weights), last_sha256=record.weights.last_sha256)
        write_json(path, record.model_copy(update={"weights": digests}).model_dump(mode="json"))


def smallest(tensor: Tensor) -> Tensor:
    """Return a float32 tensor in half precision if that changes no number, else the tensor itself."""
    if tensor.dtype != torch.float32:
        return tensor
    half = tensor.half()
    return half if torch.equal(half.float(), tensor) else tensor


def main() -> None:
    """Package the run on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    try:
        package_model(parser.parse_args().run, PACKAGED)
    except InputError as error:
        sys.exit(str(error))
    print(f"wrote {PACKAGED}")


if __name__ == "__main__":
    main()
