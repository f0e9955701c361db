"""A run of Snakemake has its steps run by one server, which ends with it; steps do the same without a server."""

from pathlib import Path

from tests.workflow.snakemake_runs import output_of, snakemake
from tools.fault_injection.checkout import copy_clone

FILES = [
    *(f"results/boxes/photographs/val/{boxes}.json" for boxes in ("ground_truth", "simulated")),
    *(f"results/box_ap/photographs/val/{boxes}.json" for boxes in ("ground_truth", "simulated")),
    "resources/checks/photographs/val.json",
]
LOG = "results/logs/step_server.log"


def made_by(folder: Path, *runs: list[str]) -> dict[str, bytes]:
    """The files that runs of Snakemake make in a copy of the clone."""
    copy_clone(folder)
    for files in runs:
        done = snakemake(folder, *files)
        assert done.returncode == 0, output_of(done)
    return {file: (folder / file).read_bytes() for file in FILES}


def test_a_server_runs_the_steps_of_a_run_with_several_jobs(tmp_path: Path) -> None:
    by_server = made_by(tmp_path / "several", FILES)
    assert (tmp_path / "several" / LOG).read_text().startswith(f"ran {len(FILES)} steps\ntook ")
    alone = made_by(tmp_path / "few", FILES[:2], FILES[2:])
    assert not (tmp_path / "few" / LOG).exists()
    assert by_server == alone
