"""All benchmarks run on one thread, as the stages around the network do."""

import cv2
import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
