# The whole reproduction: `snakemake --cores N` makes every target of `rule all`.
# Another study: `snakemake --cores N --configfile my-study.yaml`; one file: name it as the target.
from snakemake.utils import min_version

min_version("9.20")

# A study's file replaces the embedded default rather than being merged into it.
if not workflow.configfiles:

    configfile: "config/config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/records.smk"
include: "workflow/rules/database.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/download.smk"
include: "workflow/rules/archives.smk"
include: "workflow/rules/sift.smk"
include: "workflow/rules/weights.smk"
include: "workflow/rules/boxes.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/submit.smk"
include: "workflow/rules/pretrain.smk"
include: "workflow/rules/attention.smk"
include: "workflow/rules/explorer.smk"
include: "workflow/rules/cost.smk"
include: "workflow/rules/growth.smk"
include: "workflow/rules/compare.smk"
include: "workflow/rules/protocols.smk"
include: "workflow/rules/resolutions.smk"
include: "workflow/rules/precision.smk"
include: "workflow/rules/attention_statistics.smk"
include: "workflow/rules/faithfulness.smk"
include: "workflow/rules/attention_ablation.smk"
include: "workflow/rules/body_parts.smk"
include: "workflow/rules/findings.smk"
include: "workflow/rules/track.smk"
include: "workflow/rules/estimate.smk"


localrules:
    all,
    record,
    track_database,


rule all:
    default_target: True
    input:
        rules.compare.output,
        PLAN.evaluation.side_tables(),
        rules.track_study.output,
        PLAN.evaluation.submissions(),
