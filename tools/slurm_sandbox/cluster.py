"""Start and stop Slurm's daemons on this machine, as one node with one pretended GPU."""

import os
import platform
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from transpose.errors import InputError

CONFIGURATION = Path("/etc/slurm/slurm.conf")
"""The only place: jobs lose the variable SLURM_CONF."""
_GENERIC_RESOURCES = Path("/etc/slurm/gres.conf")
_DAEMONS = ("slurmctld", "slurmd", "munged")
NODE_CPUS = 8
"""Processors that the node claims to have."""
_MARK = "# Written by tools/slurm_sandbox"


@contextmanager
def running_slurm(folder: Path, memory_mb: int) -> Iterator[None]:
    """Run Slurm during the block. It needs root, and Debian's packages slurm-wlm and munge.

    Args:
        folder: for state and logs.
        memory_mb: memory of the node.

    Raises:
        InputError: a requirement is missing, another Slurm is configured or running, or the node does not start.
    """
    _check_requirements()
    folder.mkdir(parents=True)
    _configure(folder.resolve(), memory_mb)
    try:
        _start(folder.resolve())
        yield
    finally:
        _stop()


def slurm(command: str, *arguments: str) -> str:
    """Run one of Slurm's commands, and return what it prints."""
    done = subprocess.run([command, *arguments], capture_output=True, text=True, check=False, timeout=60)
    return done.stdout + done.stderr


def _check_requirements() -> None:
    if os.geteuid() != 0:
        raise InputError("needs root", file="Slurm")
    if missing := [name for name in (*_DAEMONS, "sbatch") if shutil.which(name, path=_path()) is None]:
        raise InputError(f"not found: {', '.join(missing)} (Debian: apt install slurm-wlm munge)", file="Slurm")
    if CONFIGURATION.exists() and not CONFIGURATION.read_text().startswith(_MARK):
        raise InputError("belongs to another Slurm, which stays as it is", file=CONFIGURATION)
    if running := [process.info["name"] for process in _daemons()]:
        raise InputError(f"already running: {', '.join(running)}", file="Slurm")


def _configure(folder: Path, memory_mb: int) -> None:
    host = platform.node()
    CONFIGURATION.parent.mkdir(parents=True, exist_ok=True)
    CONFIGURATION.write_text(f"""{_MARK}
ClusterName=sandbox
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
MpiDefault=none
SwitchType=switch/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
OverTimeLimit=0
KillWait=10
JobRequeue=1
SlurmdParameters=config_overrides
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={NODE_CPUS} RealMemory={memory_mb} Gres=gpu:1 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=20
PartitionName=urgent Nodes={host} MaxTime=INFINITE State=UP PriorityTier=10
""")
    # A device that every machine has; nothing opens it.
    _GENERIC_RESOURCES.write_text(f"{_MARK}\nNodeName={host} Name=gpu File=/dev/zero\n")
    for name in ("state", "spool"):
        (folder / name).mkdir()


def _start(folder: Path) -> None:
    Path("/run/munge").mkdir(exist_ok=True)
    user = pwd.getpwnam("munge")
    os.chown("/run/munge", user.pw_uid, user.pw_gid)
    subprocess.run(["runuser", "-u", "munge", "--", "munged", "--force"], check=True, env=_environment())
    for daemon in ("slurmctld", "slurmd"):
        subprocess.run([daemon], check=True, env=_environment())
    deadline = time.monotonic() + 60
    while "idle" not in slurm("sinfo", "--noheader", "--format=%T"):
        if time.monotonic() > deadline:
            raise InputError("the node did not become idle in 60 s; its log is next to this file", file=folder)
        time.sleep(0.2)


def _stop() -> None:
    found = _daemons()
    for process in found:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, living = psutil.wait_procs(found, timeout=30)
    for process in living:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    for path in (CONFIGURATION, _GENERIC_RESOURCES):
        path.unlink(missing_ok=True)


def _daemons() -> list[psutil.Process]:
    return [process for process in psutil.process_iter(["name"]) if process.info["name"] in _DAEMONS]


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def _environment() -> dict[str, str]:
    return os.environ | {"PATH": _path()}
