"""No shell runs what configuration says, nobody else reaches the tracking page, one pipeline at a time in a folder."""

import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import yaml

from tests.helpers.processes_of import listening_addresses
from tests.workflow.snakemake_runs import output_of, snakemake
from tools.fault_injection.checkout import CLONE, copy_clone

ATTACK = 'it\'s; touch INJECTED; $(touch INJECTED) `touch INJECTED` "x"'


@pytest.mark.parametrize("path", sorted((CLONE / "workflow" / "rules").glob("*.smk")), ids=lambda path: path.stem)
def test_rules_quote_all_that_they_put_into_a_command(path: Path) -> None:
    commands = re.findall(r"^    shell:\n((?: {8}\".*\n?)+)", path.read_text(), flags=re.MULTILINE)
    assert len(commands) == path.read_text().count("shell:")
    places = {place for command in commands for place in re.findall(r"\{[^}]*\}", command)}
    assert {place for place in places if not place.endswith(":q}")} <= {"{threads}"}


def test_shell_code_in_configuration_is_a_name_like_any_other(tmp_path: Path) -> None:
    copy_clone(tmp_path)
    folder = tmp_path / ATTACK
    shutil.copytree(CLONE / "transpose" / "data" / "photographs", folder)
    dataset = {
        "title": ATTACK,
        "source": {"kind": "folder", "folders": {"val": ATTACK}},
        "boxes": {"simulated": {"kind": "simulated"}},
    }
    (tmp_path / "config" / "datasets" / "mine.yaml").write_text(yaml.safe_dump(dataset))
    study = {
        "name": "mine",
        "results": f"{ATTACK}/results",
        "variants": ["r_sine"],
        "train": {"dataset": "mine", "split": "val"},
        "validation": {"dataset": "mine", "split": "val"},
        "evaluations": [{"dataset": "mine", "split": "val", "boxes": ["simulated"]}],
    }
    (tmp_path / "config" / "config.yaml").write_text(yaml.safe_dump(study))
    done = snakemake(tmp_path, f"{ATTACK}/results/box_ap/mine/val/simulated.json")
    assert done.returncode == 0, output_of(done)
    assert (folder / "results" / "box_ap" / "mine" / "val" / "simulated.json").is_file()
    assert not list(tmp_path.rglob("INJECTED*"))


def test_the_tracking_page_is_served_to_this_machine_only(tmp_path: Path) -> None:
    recipe = subprocess.run(["make", "--dry-run", "ui"], cwd=CLONE, capture_output=True, text=True, check=True).stdout
    arguments = shlex.split(recipe.split("/mlflow ", 1)[1].splitlines()[0])
    with socket.create_server(("127.0.0.1", 0)) as free:
        arguments[arguments.index("--port") + 1] = str(free.getsockname()[1])
    command = [sys.executable, "-m", "mlflow", *arguments]
    (tmp_path / "results").mkdir()
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True) as server:
        assert server.stderr is not None
        try:
            assert any("Uvicorn running" in line for line in server.stderr)
            listening = listening_addresses(server.pid)
        finally:
            end(server)
    assert listening == {"127.0.0.1"}


def test_a_second_pipeline_in_a_folder_is_kept_out(tmp_path: Path) -> None:
    copy_clone(tmp_path)
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--until", "synthesise"]
    with subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL, start_new_session=True
    ) as first:
        assert first.stderr is not None
        try:
            assert any("Snakemake's log: " in line for line in first.stderr)
            second = snakemake(tmp_path)
        finally:
            end(first)
    assert second.returncode != 0
    assert "no other Snakemake process" in output_of(second)


def end(process: subprocess.Popen[str]) -> None:
    """Kill a process and all that it has started."""
    for member in [*psutil.Process(process.pid).children(recursive=True), process]:
        member.send_signal(signal.SIGKILL)
