"""A started server runs commands of `transpose step`, and ends with the process that has started it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from transpose.config.base import read_yaml
from transpose.machine import has_nvidia_gpu
from transpose.step_server.start import ONE_THREAD
from transpose.study.layout import ResultsLayout
from transpose.study.plan import Plan

CONFIG = Path(__file__).parents[2] / "config"
STARTER = """
import shlex, subprocess, sys
from pathlib import Path
from transpose.step_server.start import start_server
start_server(Path("logs/step_server.log"))
for options in (["--help"], ["make-submission", "--dataset", "none"], ["track-database", "--results", "results"]):
    command = shlex.join([sys.executable, "-m", "transpose", "step", *options])
    print(subprocess.run(["bash", "-c", f"set -euo pipefail; {command}"], stdout=1).returncode, flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux" or has_nvidia_gpu(), reason="no server is started there")
def test_commands_run_in_copies_of_a_started_server(tmp_path: Path) -> None:
    plan = Plan.of_config(read_yaml(CONFIG / "config.yaml"), CONFIG)
    plan.write_records(ResultsLayout(tmp_path / "results"))
    done = subprocess.run(
        [sys.executable, "-c", STARTER],
        cwd=tmp_path,
        # An activated environment exports its prompt, which the shell of a job removes.
        env=os.environ | ONE_THREAD | {"TMPDIR": str(tmp_path), "PS1": "(.venv) "},
        capture_output=True,
        text=True,
        check=True,
    )
    help_text, _, statuses = done.stdout.rpartition("╯")
    assert "make-submission" in help_text
    assert statuses.split() == ["0", "2", "0"], done.stderr
    assert "Usage: transpose step make-submission" in done.stderr
    assert "Missing option" in done.stderr
    assert (tmp_path / "logs" / "step_server.log").read_text().startswith("ran 3 steps\ntook ")
    assert {path.name for path in tmp_path.iterdir()} == {"logs", "results"}
    # The step has closed its database: SQLite has removed the files next to it.
    assert [path.name for path in (tmp_path / "results").glob("mlflow.db*")] == ["mlflow.db"]
