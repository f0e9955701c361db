"""Measurements, such as by number of persons, each in a process of its own, so that their memory is comparable."""

import argparse
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

PERSONS = (1_000, 10_000, 100_000)

Case = TypeVar("Case")
Measured = TypeVar("Measured")


def persons_to_measure(description: str) -> list[int]:
    """Read the numbers of persons from the command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("persons", nargs="*", type=int, default=PERSONS, help="numbers of persons")
    return list(parser.parse_args().persons)


def in_fresh_processes(measure: Callable[[Case], Measured], cases: Sequence[Case]) -> list[Measured]:
    """Call `measure` with each case, one after another, each in a new process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as processes:
        return list(processes.map(measure, cases))
