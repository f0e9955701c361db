"""The Slurm profile, on a real Slurm where this machine has one, and the reading of its logs everywhere."""

import importlib.util
import os
import shutil
from pathlib import Path

import pytest

from tools.fault_injection.checkout import CLONE, Checkout
from tools.slurm_sandbox import trouble
from tools.slurm_sandbox.__main__ import STUDY, jobs_of, try_profile
from tools.slurm_sandbox.cluster import CONFIGURATION, running_slurm, slurm
from tools.slurm_sandbox.jobs import Run, submit
from transpose.errors import InputError

LOG = """Job stats:
job       count
total        27

Job 3 has been submitted with SLURM jobid 7 (log: logs/7.log).
Job 4 has been submitted with SLURM jobid 8 (log: logs/8.log).
Job 3 has been submitted with SLURM jobid 7 (log: logs/7.log).
"""

needs_slurm = pytest.mark.skipif(
    os.geteuid() != 0
    or any(shutil.which(name, path="/usr/bin:/usr/sbin") is None for name in ("slurmctld", "slurmd", "munged"))
    or importlib.util.find_spec("snakemake_executor_plugin_slurm") is None
    or CONFIGURATION.exists(),
    reason="needs root, Debian's slurm-wlm and munge without a configuration, and the extra `slurm`",
)


def test_jobs_and_submissions_are_counted(tmp_path: Path) -> None:
    log = tmp_path / "snakemake.log"
    log.write_text(LOG)
    checkout = Checkout(tmp_path, "results", "resources")
    run = Run(process=None, log=log, checkout=checkout)  # pyright: ignore[reportArgumentType] -- not started
    assert run.submissions() == 2
    assert jobs_of(run) == 27
    assert not run.has_checkpoint()
    training = tmp_path / "results/train/tiny/seed0"
    training.mkdir(parents=True)
    (training / "checkpoint.pt").touch()
    assert run.has_checkpoint()


def test_an_unknown_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^--run: flooded: unknown; known are undisturbed, cancelled, "):
        try_profile(tmp_path / "new", CLONE / STUDY, ["undisturbed", "flooded"], 100_000)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        ("JobState=RUNNING Requeue=1 Restarts=0", ""),
        ("JobState=PENDING Requeue=1 Restarts=1", "requeued by Slurm, restarts: 1"),
        ("JobState=FAILED Requeue=1 Restarts=0", "FAILED, repeated by Snakemake"),
        ("JobState=SIGNALING Requeue=1 Restarts=0", ""),
    ],
)
def test_it_is_seen_who_repeats_a_preempted_job(monkeypatch: pytest.MonkeyPatch, shown: str, found: str) -> None:
    monkeypatch.setattr(trouble, "slurm", lambda *_: shown)
    assert trouble._after_preemption("7") == found


@pytest.mark.slow
@needs_slurm
def test_the_profile_submits_jobs(tmp_path: Path) -> None:
    checkout = Checkout.make(tmp_path / "clone", CLONE / STUDY)
    boxes = "results/boxes/toy/val/ground_truth.json"
    with running_slurm(tmp_path / "slurm", 100_000):
        run = submit(checkout, tmp_path / "snakemake.log", "--", boxes)
        try:
            assert run.wait() == 0, run.log.read_text()
        finally:
            run.process.kill()
            slurm("scancel", "--user=root")
    assert (checkout.folder / boxes).is_file()
    assert run.submissions() == jobs_of(run) == 2
