import os
import signal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transpose.data.workers import load_batches, share, slices
from transpose.errors import InputError


def double(key: np.ndarray) -> list[int]:
    if (key < 0).any():
        raise InputError("some file", int(key[0]), "key", "is negative")
    return (2 * key).tolist()


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_come_in_the_order_of_their_keys(workers):
    keys = slices(np.arange(7), 3)
    assert list(load_batches(double, keys, workers)) == [[0, 2, 4], [6, 8, 10], [12]]


@pytest.mark.parametrize("workers", [0, 1])
def test_bad_input_is_told_whole_whoever_met_it(workers):
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


def survive(key: np.ndarray) -> list[int]:
    os.kill(os.getpid(), signal.SIGTERM)
    return double(key)


def test_a_signal_to_every_process_does_not_end_those_that_load():
    assert list(load_batches(survive, [np.array([1])], workers=1)) == [[2]]
