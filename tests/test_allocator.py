"""A process that keeps what it frees."""

import subprocess
import sys

import pytest

from transpose.allocator import _is_glibc

SCRIPT = """
import psutil
from transpose.allocator import keep_freed_memory

def left_behind():
    process, before = psutil.Process(), psutil.Process().memory_info().rss
    block = bytearray(50_000_000)
    del block
    return process.memory_info().rss - before > 40_000_000

print(left_behind(), end=" ")
keep_freed_memory()
print(left_behind())
"""


@pytest.mark.skipif(not _is_glibc(), reason="the C library is another one")
def test_freed_memory_stays_once_it_is_asked_for() -> None:
    answer = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["False", "True"]
