"""Time and memory of a step: its log ends with them, and tables by rule read them."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools.processor_time import render_table
from transpose.job_usage import JobUsage, read_usage, usage_of_this_process, usages_by_rule

USAGE = JobUsage(12.5, 4.25, 376.0)


def write_log(path: Path, text: str = f"epoch 1/2\n{USAGE}\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_processor_time_is_that_of_this_process() -> None:
    before = usage_of_this_process(with_children=False)
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    after = usage_of_this_process(with_children=False)
    assert after.processor_seconds - before.processor_seconds >= 0.05
    assert after.seconds > before.seconds
    assert after.megabytes >= before.megabytes > 1


@pytest.mark.parametrize("rest", ["", "a warning at exit\n"])
def test_the_last_line_of_a_log_counts(tmp_path: Path, rest: str) -> None:
    log = write_log(tmp_path / "job.log", f"{JobUsage(1.0, 1.0, 1.0)}\n{'x' * 5000}\n{USAGE}\n{rest}")
    assert read_usage(log) == USAGE


@pytest.mark.parametrize("text", ["", "took\n", "took long s, 1 s of processor time, 1 MB\n", "\x00"])
def test_a_log_without_usage_is_none(tmp_path: Path, text: str) -> None:
    assert read_usage(write_log(tmp_path / "job.log", text)) is None
    assert read_usage(tmp_path / "missing.log") is None
    assert read_usage(None) is None


def test_the_table_has_a_row_for_each_rule_and_sums(tmp_path: Path) -> None:
    for name in ("train/r_sine/seed0", "predict/r_sine/seed0", "predict/r_sine/seed1", "study_report"):
        write_log(tmp_path / f"{name}.log")
    write_log(tmp_path / "predict" / "failed.log", "transpose: no such file\n")
    usages = usages_by_rule(tmp_path)
    assert {rule: len(found) for rule, found in usages.items()} == {"train": 1, "predict": 2, "study_report": 1}
    table = render_table(usages).splitlines()
    assert table[2] == "| predict | 2 | 8.5 | 4.2 | 25.0 | 376 |"
    assert table[-2:] == [
        "| all but training | 3 | 12.8 | 4.2 | 37.5 | 376 |",
        "| all | 4 | 17.0 | 4.2 | 50.0 | 376 |",
    ]


def test_a_step_ends_its_log_with_its_usage_unless_it_failed(tmp_path: Path) -> None:
    step = [sys.executable, "-m", "transpose", "step", "write-config"]
    study = Path(__file__).parents[1] / "config" / "config.yaml"
    good = [*step, str(study), "--output", str(tmp_path / "results")]
    bad = [*step, str(tmp_path / "missing.yaml")]
    logs = [subprocess.run(command, capture_output=True, text=True, check=False).stderr for command in (good, bad)]
    found = [read_usage(write_log(tmp_path / "job.log", log)) for log in logs]
    assert found[0] is not None
    assert found[0].processor_seconds > 0
    assert found[1] is None
