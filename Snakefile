# `snakemake --cores N` makes all targets of `rule all`.
# Another study: `snakemake --cores N --configfile my-study.yaml`. A single file: give its path as the target.
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

from transpose.config.base import read_yaml
from transpose.errors import InputError

min_version("9.20")

STUDY = "config/config.yaml"
# Name the line of a wrong file, and refuse duplicate keys, of which Snakemake uses the last one. It reads a file of
# --configfile before this one: `transpose plan FILE` names the line in that file too.
try:
    for file in workflow.configfiles or [STUDY]:
        read_yaml(Path(file))
except InputError as error:
    raise WorkflowError(str(error)) from None
# The file of a study replaces the default; it is not merged into it.
if not workflow.configfiles:

    configfile: STUDY


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/inputs.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/archives.smk"
include: "workflow/rules/weights.smk"
include: "workflow/rules/boxes.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/analyses.smk"
include: "workflow/rules/attention_maps.smk"
include: "workflow/rules/cost.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/track.smk"
include: "workflow/rules/forecast.smk"


rule all:
    default_target: True
    input:
        rules.compare.output,
        PLAN.evaluation.analysis_tables(),
        rules.study_report.output,
        rules.track_study.output,
        PLAN.evaluation.submissions(),
