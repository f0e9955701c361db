import shutil
from pathlib import Path

from snakemake.exceptions import WorkflowError

from transpose.config.base import read_yaml
from transpose.errors import InputError
from transpose.provenance import (
    EVALUATION_CODE,
    PREDICTION_CODE,
    TRAINING_CODE,
    code_fingerprint,
)
from transpose.workflow.interpreter import use_this_interpreter
from transpose.workflow.plan import Plan

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

RESULTS = PLAN.study.results
GPUS = (
    1
    if PLAN.study.training.device in ("auto", "cuda") and shutil.which("nvidia-smi")
    else 0
)


wildcard_constraints:
    variant="[a-z0-9_]+",
    dataset="[a-z0-9_]+",
    split="[a-z0-9_]+",
    boxes="[a-z0-9_]+",
    seed="[0-9]+",
