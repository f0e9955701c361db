"""What a network runs on."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

from transpose.config.training import Dtype
from transpose.device import DeviceContext, describe_machine, resolve_device
from transpose.errors import InputError

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def threads() -> Iterator[int]:
    before = torch.get_num_threads()
    yield before
    torch.set_num_threads(before)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """A machine with the accelerators of the parameter."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in request.param)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: "old" not in request.param)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Card")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in request.param)


@pytest.mark.parametrize(
    ("machine", "device"), [((), "cpu"), (("mps",), "mps"), (("cuda", "mps"), "cuda")], indirect=["machine"]
)
def test_auto_takes_the_fastest_device(machine: None, device: str) -> None:
    assert resolve_device("auto", "bf16", 1) == DeviceContext(torch.device(device), "bf16", 1)


@pytest.mark.parametrize("machine", [("cuda",)], indirect=True)
def test_a_named_device_is_taken(machine: None) -> None:
    assert resolve_device("cpu", "fp32", 1).device == CPU


@pytest.mark.parametrize("machine", [()], indirect=True)
@pytest.mark.parametrize("device", ["cuda", "mps", "abacus"])
def test_a_device_that_is_missing_is_reported(machine: None, device: str) -> None:
    with pytest.raises(InputError, match=f"{device}: not available on this machine, which has cpu"):
        resolve_device(device, "fp32", 1)


@pytest.mark.parametrize("machine", [("cuda", "old")], indirect=True)
def test_a_card_without_bf16_is_refused_with_a_hint_at_fp16(machine: None) -> None:
    with pytest.raises(InputError, match="dtype: bf16: Card does not support it; use fp16"):
        resolve_device("cuda", "bf16", 1)
    assert resolve_device("cuda", "fp16", 1).torch_dtype == torch.float16


def test_compiling_needs_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    assert resolve_device("cpu", "fp32", 1).compiled is False
    with pytest.raises(InputError, match=r"compile: True: needs a C\+\+ compiler"):
        resolve_device("cpu", "fp32", 1, compiled=True)


def test_batches_are_filled_up_for_a_compiled_network_alone() -> None:
    batch = torch.ones(3, 2)
    filled = DeviceContext(CPU, "fp32", 1, compiled=True).pad_batch(batch, 4)
    assert torch.equal(filled[:3], batch)
    assert not filled[3:].any()
    assert len(filled) == 4
    assert DeviceContext(CPU, "fp32", 1).pad_batch(batch, 4) is batch
    assert DeviceContext(CPU, "fp32", 1, compiled=True).pad_batch(batch, 2) is batch


@pytest.mark.parametrize("machine", [("mps",), ()], indirect=True)
def test_half_precision_needs_cuda(machine: None) -> None:
    with pytest.raises(InputError, match="fp16: needs CUDA, and this runs on "):
        resolve_device("auto", "fp16", 1)


@pytest.mark.parametrize("machine", [("cuda",)], indirect=True)
def test_half_precision_is_taken_on_cuda(machine: None) -> None:
    assert resolve_device("auto", "fp16", 1).dtype == "fp16"


@pytest.mark.parametrize(
    ("machine", "dtype"), [(("cuda",), "tf32"), (("mps",), "fp32"), ((), "fp32")], indirect=["machine"]
)
def test_tf32_is_fp32_without_cuda(machine: None, dtype: Dtype) -> None:
    assert resolve_device("auto", "tf32", 1).dtype == dtype


@pytest.fixture
def tf32_switches() -> Iterator[tuple[Any, Any]]:
    switches: tuple[Any, Any] = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [switch.allow_tf32 for switch in switches]
    yield switches
    for switch, value in zip(switches, before, strict=True):
        switch.allow_tf32 = value


@pytest.mark.parametrize(("dtype", "rounds"), [("fp32", False), ("tf32", True)])
def test_on_cuda_the_running_network_decides_on_tf32(
    tf32_switches: tuple[Any, Any], dtype: Dtype, rounds: bool
) -> None:
    for switch in tf32_switches:
        switch.allow_tf32 = not rounds
    with DeviceContext(CPU, dtype, 1).autocast():
        assert [switch.allow_tf32 for switch in tf32_switches] == [not rounds] * 2
    with DeviceContext(torch.device("cuda"), dtype, 1).autocast():
        pass
    # A backward pass comes after the context.
    assert [switch.allow_tf32 for switch in tf32_switches] == [rounds] * 2


def test_a_scalar_is_copied_when_its_reading_is_announced() -> None:
    loss = torch.tensor(1.5)
    read = DeviceContext(CPU, "fp32", 1).read_later(loss)
    loss.fill_(2.5)
    assert read() == 1.5


def test_threads_are_fixed_for_the_process() -> None:
    for number in (2, 1):
        resolve_device("cpu", "fp32", number)
        assert torch.get_num_threads() == number


def test_without_a_number_a_network_has_the_threads_that_the_process_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert resolve_device("cpu", "fp32", None).threads == torch.get_num_threads() == 2


def test_no_thread_computes_with_numbers_too_small_to_be_normal() -> None:
    code = (
        "import torch; from transpose.device import resolve_device; resolve_device('cpu', 'fp32', 2);"
        " print(int((torch.full((1_000_000,), 1e-30) * 1e-9).count_nonzero()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"


@pytest.mark.parametrize(
    ("dtype", "torch_dtype"), [("bf16", torch.bfloat16), ("fp16", torch.float16), ("fp32", torch.float32)]
)
def test_products_are_computed_in_the_dtype(dtype: Dtype, torch_dtype: torch.dtype) -> None:
    with DeviceContext(CPU, dtype, 1).autocast():
        assert nn.Linear(4, 4)(torch.ones(2, 4)).dtype == torch_dtype


def test_convolutions_are_placed_in_channels_last_order() -> None:
    convolution = nn.Conv2d(4, 6, 3)
    model = nn.Sequential(convolution, nn.Linear(3, 2))
    before = [value.clone() for value in model.state_dict().values()]
    placed = DeviceContext(CPU, "fp32", 1).to_device(model)
    assert placed is model
    assert convolution.weight.is_contiguous(memory_format=torch.channels_last)
    assert all(torch.equal(old, new) for old, new in zip(before, model.state_dict().values(), strict=True))


def test_a_machine_is_described_in_texts() -> None:
    described = describe_machine(CPU)
    assert described["device"] == "cpu"
    assert described["torch"] == torch.__version__
    assert all(described.values())
    assert json.loads(json.dumps(described)) == described
