import gc
import multiprocessing
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data._utils import signal_handling

from transpose.data.workers import load_batches, share, slices
from transpose.errors import InputError

pytestmark = pytest.mark.slow


def double(key: np.ndarray) -> list[int]:
    if (key < 0).any():
        raise InputError("is negative", file="some file", record=int(key[0]), field="key")
    return (2 * key).tolist()


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_come_in_the_order_of_their_keys(workers):
    keys = slices(np.arange(7), 3)
    assert list(load_batches(double, keys, workers)) == [[0, 2, 4], [6, 8, 10], [12]]


@pytest.mark.parametrize("workers", [0, 1])
def test_bad_input_is_reported_from_any_process(workers):
    batches = load_batches(double, [np.array([1]), np.array([-3])], workers)
    assert next(batches) == [2]
    with pytest.raises(InputError) as caught:
        next(batches)
    assert str(caught.value) == "some file: -3: key: is negative"
    assert (caught.value.file, caught.value.record, caught.value.field) == ("some file", -3, "key")


@pytest.mark.parametrize("workers", [0, 1])
def test_no_keys_make_no_batches(workers):
    assert list(load_batches(double, [], workers)) == []


@given(keys=st.integers(0, 40), processes=st.integers(1, 9))
def test_shares_hold_each_key_once_and_differ_by_one_at_most(keys, processes):
    parts = [share(np.arange(keys), rank, processes) for rank in range(processes)]
    assert np.concatenate(parts).tolist() == list(range(keys))
    sizes = [len(part) for part in parts]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] - sizes[-1] <= 1


def survive(number: int, key: np.ndarray) -> list[int]:
    os.kill(os.getpid(), number)
    return double(key)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_every_process_does_not_end_those_that_load(number):
    assert list(load_batches(partial(survive, number), [np.array([1])], workers=1)) == [[2]]


def test_a_signal_to_a_worker_that_is_starting_does_not_end_it(monkeypatch):
    start = signal_handling._set_worker_signal_handlers  # pyright: ignore[reportPrivateImportUsage]

    def start_and_receive_a_signal():
        start()
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(signal_handling, "_set_worker_signal_handlers", start_and_receive_a_signal)
    assert list(load_batches(double, [np.array([1])], workers=1)) == [[2]]


FULL_SHARED_MEMORY = """
import sys
import numpy as np
from tests.data.test_workers import LargeBatch
from transpose.data.workers import load_batches
from transpose.errors import InputError
try:
    list(load_batches(LargeBatch, [np.array([1]), np.array([2])], workers=1))
except InputError as error:
    sys.exit(str(error))
"""


@dataclass
class LargeBatch:
    """3 MB of a tensor."""

    key: np.ndarray
    pixels: torch.Tensor = field(default_factory=lambda: torch.zeros(3_000_000, dtype=torch.uint8))


def test_full_shared_memory_is_reported_instead_of_waited_for():
    """As in a container, whose shared memory is small."""
    namespace = ["unshare", "--mount", "sh", "-c"]
    if subprocess.run([*namespace, "mount -t tmpfs -o size=1m tmpfs /dev/shm"], check=False).returncode:
        pytest.skip("no shared memory of our own can be mounted here")
    program = 'mount -t tmpfs -o size=1m tmpfs /dev/shm && exec "$0" -c "$1"'
    done = subprocess.run(
        [*namespace, program, sys.executable, FULL_SHARED_MEMORY],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 1
    assert done.stderr.startswith("/dev/shm: shared memory is full; increase it"), done.stderr


ERROR_BETWEEN_BATCHES = """
import sys, tempfile
# Its callback at exit is registered before those of multiprocessing, and is called after them.
folder = tempfile.TemporaryDirectory()
import numpy as np
from transpose.data.workers import load_batches

def use_batches():
    batches = load_batches(np.copy, [np.zeros(1)] * 100, 2)
    for batch in batches:
        raise ValueError

try:
    use_batches()
except ValueError as error:
    # A process group raises what it has kept, a cycle of references that outlives the exception's handling.
    kept = error
    sys.exit("one line")
"""


def test_a_kept_error_between_batches_ends_the_process_with_its_workers():
    """Workers ignore SIGTERM, which is how multiprocessing ends those that are left at exit."""
    command = [sys.executable, "-c", ERROR_BETWEEN_BATCHES]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (1, "one line\n")


def test_garbage_between_batches_ends_its_workers_at_once():
    batches = load_batches(double, [np.array([1])] * 100, 2)
    next(batches)
    cycle: list[object] = [batches]
    cycle.append(cycle)
    workers = multiprocessing.active_children()
    del batches, cycle
    gc.collect()
    assert [worker.exitcode for worker in workers] == [0, 0]


def test_after_bad_input_no_worker_is_left():
    with pytest.raises(InputError) as kept:
        list(load_batches(double, [np.array([-3]), np.array([1])], 2))
    assert kept.value.__traceback__ is not None
    assert multiprocessing.active_children() == []
