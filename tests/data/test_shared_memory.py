import multiprocessing
import pickle

import numpy as np
import pytest

from transpose.data.shared_memory import SharedBytes


def write(memory: SharedBytes) -> None:
    memory.array[3] = 7


@pytest.mark.parametrize("start", ["fork", "forkserver", "spawn"])
def test_another_process_writes_to_the_same_memory(start: str) -> None:
    memory = SharedBytes(5)
    with multiprocessing.get_context(start).Pool(1) as pool:
        pool.apply(write, (memory,))
    assert memory.array.tolist() == [0, 0, 0, 7, 0]


def test_a_pickled_copy_outlives_the_original() -> None:
    memory = SharedBytes(4)
    copy = pickle.loads(pickle.dumps(memory))
    memory.array[0] = 9
    del memory
    assert copy.array.tolist() == [9, 0, 0, 0]


def test_empty_memory_is_an_empty_array() -> None:
    assert SharedBytes(0).array.shape == (0,)


def test_what_is_not_written_takes_no_memory() -> None:
    memory = SharedBytes(2**36)
    memory.array[2**35] = 1
    assert np.count_nonzero(memory.array[2**35 - 5 : 2**35 + 5]) == 1
