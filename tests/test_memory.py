"""Full memory ends every command with one line."""

import errno
import sys

import numpy as np
import pytest
import torch

from transpose import cli
from transpose.errors import InputError
from transpose.memory import full_memory, memory_for

HUGE = 2**50


def numpy_array(prog_name: str) -> object:
    return np.empty(HUGE)


def tensor(prog_name: str) -> object:
    return torch.empty(HUGE)


@pytest.mark.parametrize(("allocate", "amount"), [(numpy_array, "8.00 PiB"), (tensor, f"{4 * HUGE} bytes")])
def test_a_command_that_does_not_fit_ends_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], allocate: object, amount: str
) -> None:
    monkeypatch.setattr(cli, "app", allocate)
    with pytest.raises(SystemExit, match=r"^1$"):
        cli.main()
    line = capsys.readouterr().err.removesuffix("\n")
    assert line.startswith(f"transpose: the machine's memory is full ({amount} more did not fit); end other programs")
    assert "\n" not in line


@pytest.mark.parametrize(
    ("error", "whose"),
    [
        (MemoryError(), "machine"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "machine"),
        (RuntimeError("Caught _ArrayMemoryError in DataLoader worker process 0.\nOriginal Traceback"), "machine"),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), "machine"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."), "GPU"),
        (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), "GPU"),
    ],
)
def test_it_says_whose_memory_is_full(error: Exception, whose: str) -> None:
    assert str(full_memory(error)).startswith(f"the {whose}'s memory is full")


@pytest.mark.parametrize("error", [RuntimeError("shape mismatch"), OSError(errno.ENOSPC, "No space left on device")])
def test_other_errors_are_not_full_memory(error: Exception) -> None:
    assert full_memory(error) is None


def test_an_array_that_does_not_fit_names_the_key_to_lower() -> None:
    refused = pytest.raises(InputError, match=r"^protocol\.batch_size: 7: the machine's memory is full .*; lower")
    with refused, memory_for("protocol.batch_size", 7):
        np.empty(HUGE)


def test_evaluate_is_one_line_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("transpose.evaluation.external_evaluation.evaluate_results", lambda *_: np.empty(HUGE))
    monkeypatch.setattr(sys, "argv", ["transpose", "evaluate", "results.json", "--annotations", "gt.json"])
    with pytest.raises(SystemExit, match=r"^1$"):
        cli.main()
    printed = capsys.readouterr()
    assert printed.err.startswith("transpose: the machine's memory is full (8.00 PiB more did not fit)")
    assert printed.out == ""
