"""State dicts in the files of trainers; what safe loading refuses is one line with the class."""

import argparse
import io
import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.helpers.small_variants import small_model
from transpose.errors import InputError
from transpose.models.checkpoint_files import PYTORCH_SUFFIXES, read_state_dicts

STATE = {"conv1.weight": torch.arange(6.0).reshape(2, 3), "bn1.num_batches_tracked": torch.tensor(5)}


def saved(content: object, path: Path) -> Path:
    torch.save(content, path)
    return path


def fails(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_state_dicts(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize("suffix", PYTORCH_SUFFIXES)
def test_files_of_torch_save(tmp_path: Path, suffix: str) -> None:
    assert list(read_state_dicts(saved(STATE, tmp_path / f"w{suffix}"))[""]) == list(STATE)


def test_a_file_from_before_pytorch_1_6(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert list(read_state_dicts(tmp_path / "old.pth")[""]) == list(STATE)


def test_safetensors_are_one_state_dict(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "w.safetensors", {"format": "pt"})
    assert {place: list(state) for place, state in read_state_dicts(tmp_path / "w.safetensors").items()} == {"": ["a"]}


@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict", "best_state_dict", "net", "ema", "other"])
def test_a_state_dict_below_a_key_next_to_other_values(tmp_path: Path, key: str) -> None:
    network = small_model("resnet")
    optimizer = torch.optim.AdamW(network.parameters())
    network.train()(torch.zeros(2, 3, 32, 24)).sum().backward()
    optimizer.step()
    content = {
        "epoch": 3,
        "step": torch.tensor(7),
        "perf": np.float64(0.7),
        "args": argparse.Namespace(lr=1e-3, layers=[1, 2]),
        "optimizer": optimizer.state_dict(),
        "param_groups": [{"lr": 0.1}],
        key: OrderedDict(STATE),
    }
    states = read_state_dicts(saved(content, tmp_path / "checkpoint.pth"))
    assert list(states) == [key]
    assert torch.equal(states[key]["conv1.weight"], STATE["conv1.weight"])


def test_places_are_the_keys_from_outside_in(tmp_path: Path) -> None:
    other = {key: tensor + 1 for key, tensor in STATE.items()}
    content = {
        "callbacks": {"average": {"state": other}},
        1: STATE,
        "state_dict": STATE | {"epoch": 3, "_extra_state": None},
    }
    states = read_state_dicts(saved(content, tmp_path / "w.ckpt"))
    assert list(states) == ["state_dict", "callbacks/average/state"]
    assert states["state_dict"].keys() == STATE.keys()


def test_one_dictionary_below_several_keys_or_in_itself_is_read_once(tmp_path: Path) -> None:
    content: dict[str, object] = {"state_dict": STATE, "best_state_dict": STATE}
    content["self"] = content
    assert list(read_state_dicts(saved(content, tmp_path / "w.pth"))) == ["state_dict"]


class Payload:
    """Runs code in an unrestricted unpickler."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('the pickle was executed')",)


def test_other_objects_are_named_and_not_run(tmp_path: Path) -> None:
    for message in (
        fails(saved({"state_dict": STATE, "history": Payload()}, tmp_path / "bad.pth")),
        fails(saved({"state_dict": STATE, "args": argparse.Namespace(x=Payload())}, tmp_path / "args.pth")),
    ):
        assert "contains exec; if you trust the file, convert it where it was written: torch.save" in message
    assert "contains torch.nn.modules.linear.Linear" in fails(saved(torch.nn.Linear(2, 2), tmp_path / "module.pth"))


def test_an_array_of_objects_is_refused(tmp_path: Path) -> None:
    path = saved({"state_dict": STATE, "data": np.array([Payload()], dtype=object)}, tmp_path / "bad.pth")
    assert "contains numpy" in fails(path)


def test_a_plain_pickle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(pickle.dumps({"conv1.weight": [1.0]}))
    assert fails(tmp_path / "w.pth").startswith("not a PyTorch checkpoint")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_a_torchscript_archive_says_how_to_convert_it(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), buffer)
    (tmp_path / "script.pt").write_bytes(buffer.getvalue())
    assert fails(tmp_path / "script.pt") == "a TorchScript archive; save torch.jit.load('script.pt').state_dict()"


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("tensor", "problem"),
    [
        (lambda: torch.eye(3).to_sparse(), "has the layout torch.sparse_coo; save a dense tensor"),
        (lambda: torch.eye(3).to_sparse_csr(), "has the layout torch.sparse_csr; save a dense tensor"),
        (lambda: torch.empty(2, 3, device="meta"), "has no values (meta tensor)"),
        (
            lambda: torch.quantize_per_tensor(torch.eye(3), 0.1, 0, torch.qint8),
            "is quantised; save tensor.dequantize()",
        ),
    ],
    ids=["coo", "csr", "meta", "quantised"],
)
def test_tensors_without_plain_values_are_named(
    tmp_path: Path, tensor: Callable[[], torch.Tensor], problem: str
) -> None:
    path = saved({"state_dict": STATE | {"fc.weight": tensor()}}, tmp_path / "w.pth")
    assert fails(path) == f"state_dict: fc.weight: {problem}"


def test_an_empty_file_and_another_suffix(tmp_path: Path) -> None:
    (tmp_path / "w.ckpt").touch()
    assert fails(tmp_path / "w.ckpt").startswith("not a PyTorch checkpoint: ")
    (tmp_path / "w.h5").touch()
    assert fails(tmp_path / "w.h5").endswith("files, not '.h5'")
