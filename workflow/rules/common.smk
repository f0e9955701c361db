import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from transpose.config.study import Analysis, EvalSetting
from transpose.errors import InputError
from transpose.files import write_text
from transpose.forecast.network import MODULE, Networks
from transpose.forecast.requests import RENDERING, SMALL, JobRequests, download_mb
from transpose.job_usage import usage_of_this_process
from transpose.machine import has_nvidia_gpu
from transpose.provenance import CACHE, TRAINING, PackageCode
from transpose.step_server.start import start_server
from transpose.study.content import InputContent
from transpose.study.job_threads import JobThreads
from transpose.study.layout import REPORT_PAGES, TABLE_SUFFIXES, RecordKind, RunId
from transpose.study.plan import Plan
from transpose.study.rules import stop_on_hangup, use_this_interpreter
from transpose.study.running import note_this_run, other_runs, warning_of
from transpose.study.training_keys import TrainingKeys

use_this_interpreter()
stop_on_hangup()

# Snakemake takes its lock later. Its message advises to remove the lock, also that of a living run.
RUNNING = Path(".snakemake/running")
if workflow.is_main_process and (runs := other_runs(RUNNING)):
    if "--unlock" in sys.argv:
        raise WorkflowError(warning_of(runs))
    print(warning_of(runs), file=sys.stderr)

try:
    PLAN = Plan.of_config(
        config, Path("config"), source=", ".join(map(str, workflow.configfiles))
    )
except InputError as error:
    raise WorkflowError(str(error)) from None

# Every job reads the rules; the cache avoids parsing the package each time.
CODE = PackageCode(cache=CACHE)
CONTENT = InputContent(cache=Path(".snakemake/content.json"))
TRAINING_KEYS = TrainingKeys(PLAN, CONTENT)
LAYOUT = PLAN.layout
RESOURCES = PLAN.resources
# Wildcards of the rules.
RUN = RunId("{variant}", "{seed}")
SETTING = EvalSetting("{dataset}", "{split}", "{boxes}")


def uses_scheduler():
    """Whether a cluster schedules the jobs."""
    return not workflow.local_exec


# The jobs of Slurm inherit it. There the rules are read again, by a local executor.
UNDER_SLURM = "TRANSPOSE_UNDER_SLURM"
if uses_scheduler() and workflow.executor_plugin.name.startswith("slurm"):
    os.environ[UNDER_SLURM] = "1"


def slurm_tasks(wildcards):
    """Return the tasks of a job of Slurm that trains in several processes, one for each; 0 for any other training."""
    processes = PLAN.recipes[wildcards.variant].training.gpus
    return processes if processes > 1 and UNDER_SLURM in os.environ else 0


def gpus(wildcards):
    """Return the GPUs of a job on one device; `device: auto` takes one on a cluster, whose login node has none."""
    device = PLAN.study.training.device
    found = device == "cuda" or has_nvidia_gpu() or uses_scheduler()
    return 1 if device in ("auto", "cuda") and found else 0


def cores_up_to(most, share=1.0):
    """Return the threads of a job that uses a share of all cores: of `--cores`, or on a cluster of one node."""
    return lambda wildcards: max(
        1, min(most, int(share * (workflow.resource_settings.cores or NODE_CORES)))
    )


# What a job that uses all cores requests from a cluster. A profile's `set-threads` changes it.
NODE_CORES = 8

# Jobs on one machine share its cores. A cluster gives each job its own; there, rules are read again in each job.
ON_CLUSTER = uses_scheduler() or workflow.remote_exec
THREADS = JobThreads(
    PLAN,
    NODE_CORES if ON_CLUSTER else workflow.resource_settings.cores or NODE_CORES,
    are_shared=not ON_CLUSTER,
    on_gpu=gpus(None) > 0,
)


def networks():
    device = "cuda" if gpus(None) else "cpu"
    return Networks.of_study(PLAN, CODE.digest(MODULE), device, THREADS)


REQUESTS = JobRequests(
    PLAN, THREADS, networks, is_needed=lambda: workflow.dryrun or uses_scheduler()
)


# Write the resolved configuration for the commands into the results folder. The records are not inputs, since Snakemake
# misses changed params of rules whose inputs were rewritten; the params contain digests of the records instead.
onstart:
    # With its limit of 100 jobs a second, Snakemake looks at the waiting jobs again a second after each look, and once
    # more for each job that has ended: after 100 jobs a hundred times a second. Local jobs need no limit.
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None
    note_this_run(RUNNING)
    try:
        PLAN.write_records(LAYOUT)
    except InputError as error:
        raise WorkflowError(str(error)) from None
    # Its start takes as much processor time as two steps with a network save.
    if workflow.local_exec and len(list(workflow.dag.needrun_jobs())) >= 5:
        start_server(LAYOUT.log("step_server"))
    announce_jobs()


# Its own time, without the jobs'.
onsuccess:
    write_text(
        LAYOUT.log("snakemake"), f"{usage_of_this_process(with_children=False)}\n"
    )


def given(paths):
    """Mark the input files that no rule makes as local. Object storage has only what rules make."""

    def is_made(path):
        return any(
            Path(path).is_relative_to(folder)
            for folder in (LAYOUT.root, RESOURCES.root)
        )

    # Absolute paths are never in object storage, and without a shared disk a job with a local file does not leave the
    # machine of Snakemake.
    return [
        path if is_made(path) or Path(path).is_absolute() else local(path)
        for path in paths
    ]


def code_of(module):
    """Return a function for the digest of a module and of all modules that it imports."""
    return lambda wildcards: f"code:{CODE.digest(f'transpose.{module}')}"


def digest_of_dataset(wildcards):
    return PLAN.digest(RecordKind.DATASET, wildcards.dataset)


def digest_of_recipe(wildcards):
    return PLAN.digest(RecordKind.RECIPE, wildcards.variant)


def training_key(wildcards):
    run = RunId(wildcards.variant, wildcards.seed)
    return f"training:{TRAINING_KEYS.key(run)[:12]}"


def digests(kind, names):
    return [PLAN.digest(kind, name) for name in names]


def workers_of_variant(wildcards):
    return PLAN.recipes[wildcards.variant].training.workers


def analysis_settings(kind):
    """Return the digest of the settings of an analysis, or None if the study does not include it."""
    return PLAN.digest(kind) if kind in PLAN.records() else None


def images_of_detector(wildcards):
    """Return the annotations whose images a detector reads; none for other box sources."""
    reads = PLAN.boxes.reads_images(wildcards)
    return [PLAN.data.annotations(wildcards)] if reads else []


def part_labels_option(wildcards):
    """Return the option with the part labels of a rendered split, for the analysis of body parts."""
    return [f"--parts={path}" for path in PLAN.data.part_labels(wildcards)]


def reported(path, caption, category, kind):
    """Return a file for Snakemake's report; its label is the name of the file."""
    return report(
        path,
        caption=f"../report/{caption}.rst",
        category=category,
        labels={kind: path.stem.replace("_", " ")},
    )


def page(name, category):
    """Return the HTML file of a table for Snakemake's report."""
    return reported(LAYOUT.table(name).with_suffix(".html"), name, category, "table")


def figures_of(paths, caption):
    """Return figures for Snakemake's report, and their SVG files."""
    return [
        *(reported(path, caption, "Figures", "figure") for path in paths),
        *(path.with_suffix(".svg") for path in paths),
    ]


wildcard_constraints:
    variant="[a-z0-9_]+",
    dataset="[a-z0-9_]+",
    split="[a-z0-9_]+",
    boxes="[a-z0-9_]+",
    seed="[0-9]+",
