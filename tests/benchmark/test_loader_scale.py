"""Loading processes share the memory that grows with the number of persons."""

import subprocess
import sys

from transpose.benchmark.loader_scale import LoaderScale, loader_scale

MEASURE = "from transpose.benchmark.loader_scale import loader_scale; print(loader_scale(50_000).model_dump_json())"


def test_a_loading_process_does_not_copy_what_it_reads() -> None:
    # In a fresh process: a fork copies pages that earlier code has freed when it reuses them.
    answer = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    scale = LoaderScale.model_validate_json(answer.stdout)
    assert scale.persons == 50_000
    # 20,000 names alone are 1.2 MB.
    assert scale.copied_mb < 0.7
    assert scale.worker_mb > scale.copied_mb


def test_few_persons_are_measured_too() -> None:
    scale = loader_scale(50)
    assert scale.persons == 50
    assert min(scale.build_seconds, scale.sample_microseconds, scale.worker_mb) > 0
