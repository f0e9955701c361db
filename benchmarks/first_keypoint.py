"""Time of a whole process that predicts one photograph, next to that of one that only imports PyTorch.

python -m benchmarks.first_keypoint

Processes run interleaved, and medians are printed. The first round, which reads the files from disk, does not count.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
from tabulate import tabulate

from transpose.data.photographs import photographs_folder

_ROUNDS = 7


def first_keypoint(model: Path, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Return the seconds by the clock and of the processor of each round, by what the process does.

    Args:
        model: an .onnx file.
    """
    photograph = str(min((photographs_folder() / "images").glob("*.jpg")))
    predict = [sys.executable, "-m", "transpose", "predict", photograph, "--whole-image"]
    commands = {
        "import torch": [sys.executable, "-c", "import torch"],
        "transpose predict": predict,
        "transpose predict --model model.onnx": [*predict, "--model", str(model)],
    }
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for turn in range(rounds + 1):
        for name, command in commands.items():
            measured = _seconds_of(command)
            if turn:
                seconds[name].append(measured)
    return seconds


def _seconds_of(command: Sequence[str]) -> tuple[float, float]:
    before, start = psutil.Process().cpu_times(), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    elapsed, after = time.perf_counter() - start, psutil.Process().cpu_times()
    return elapsed, sum(getattr(after, key) - getattr(before, key) for key in ("children_user", "children_system"))


def main() -> None:
    """Print the medians."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.onnx"
        export = [sys.executable, "-m", "transpose", "export", "--format", "onnx", "--output", str(model)]
        subprocess.run(export, check=True, capture_output=True)
        seconds = first_keypoint(model, _ROUNDS)
    rows = [(name, *map(statistics.median, zip(*values, strict=True))) for name, values in seconds.items()]
    print(tabulate(rows, ["process", "s by the clock", "s of the processor"], tablefmt="pipe", floatfmt=".2f"))


if __name__ == "__main__":
    main()
