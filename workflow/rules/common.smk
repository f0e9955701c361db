import shutil
from pathlib import Path

from snakemake.exceptions import WorkflowError

from transpose.config.base import read_yaml
from transpose.config.study import Analysis, EvalSetting
from transpose.errors import InputError
from transpose.provenance import TRAINING, PackageCode
from transpose.study.interpreter import use_this_interpreter
from transpose.study.layout import TABLE_SUFFIXES, RecordKind, RunId
from transpose.study.plan import Plan

use_this_interpreter()

try:
    # Snakemake itself takes the last of a key that comes twice.
    for file in workflow.configfiles:
        read_yaml(Path(file))
    PLAN = Plan.of_config(
        config, Path("config"), source=", ".join(map(str, workflow.configfiles))
    )
except InputError as error:
    raise WorkflowError(str(error)) from None

# Each job's process reads the rules; a file spares it from parsing the package again.
CODE = PackageCode(cache=Path(".snakemake/code.json"))
LAYOUT = PLAN.layout
RESOURCES = PLAN.resources
# What the wildcards of rules stand for.
RUN = RunId("{variant}", "{seed}")
SETTING = EvalSetting("{dataset}", "{split}", "{boxes}")
GPUS = (
    1
    if PLAN.study.training.device in ("auto", "cuda") and shutil.which("nvidia-smi")
    else 0
)


# Resolved configuration as files, which commands read and which stay beside the results. They are no inputs: a job that
# writes an input hides from Snakemake that params have changed, and rules rerun by digests of records among theirs.
onstart:
    try:
        PLAN.write_records(LAYOUT)
    except InputError as error:
        raise WorkflowError(str(error)) from None


def code_of(module):
    """Digest of the module whose function a command calls, and of all that it imports."""
    return lambda wildcards: CODE.digest(f"transpose.{module}")


def digest_of_dataset(wildcards):
    return PLAN.digest(RecordKind.DATASET, wildcards.dataset)


def digest_of_recipe(wildcards):
    return PLAN.digest(RecordKind.RECIPE, wildcards.variant)


def digests(kind, names):
    return [PLAN.digest(kind, name) for name in names]


def workers_of_variant(wildcards):
    return PLAN.recipes[wildcards.variant].training.workers


def analysis_settings(kind):
    """Digest of the settings of an analysis that the study asks for."""
    return PLAN.digest(kind) if kind in PLAN.records() else None


def part_labels_option(wildcards):
    """Part labels of a rendered split, which the analysis of body parts takes."""
    return [f"--parts={path}" for path in PLAN.data.part_labels(wildcards)]


def page(name, category, **labels):
    """The HTML file of a table, which Snakemake's report shows."""
    return report(
        LAYOUT.table(name).with_suffix(".html"),
        caption=f"../report/{name}.rst",
        category=category,
        labels=labels or {"table": name.replace("_", " ")},
    )


wildcard_constraints:
    variant="[a-z0-9_]+",
    dataset="[a-z0-9_]+",
    split="[a-z0-9_]+",
    boxes="[a-z0-9_]+",
    seed="[0-9]+",
