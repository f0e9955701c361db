from transpose.config.weights import load_released

# Others' checkpoints: backbones that trainings start from, and released variants.
WEIGHTS = "config/weights.yaml"


# Code is no trigger: trainings start from these weights.
# The checkpoint itself and the record of its digest stay undeclared: Snakemake would delete what a user put there.
rule download_weights:
    output:
        RESOURCES.weights("{weights}"),
    log:
        LAYOUT.log("weights", "{weights}"),
    wildcard_constraints:
        weights="[a-z0-9_]+",
    retries: 2
    localrule: True
    conda:
        "../../environment.yml"
    params:
        table=WEIGHTS,
        released=lambda wildcards: load_released(
            wildcards.weights, Path(WEIGHTS)
        ).model_dump_json(),
    message:
        "Download weights {wildcards.weights}"
    shell:
        "python -m transpose step download-weights {wildcards.weights:q} --table {params.table:q} --output {output:q} 2> {log:q}"


# In the place of a training: the released checkpoint as the weights of a run, and a record that says so.
rule import_checkpoint:
    input:
        weights=lambda wildcards: PLAN.training.released_weights(wildcards.variant),
    output:
        weights=LAYOUT.train(RunId("{variant}", 0)).weights,
        run=LAYOUT.train(RunId("{variant}", 0)).record,
    log:
        LAYOUT.log("import_checkpoint", "{variant}"),
    wildcard_constraints:
        variant=PLAN.training.names_of_official(),
    conda:
        "../../environment.yml"
    params:
        code=code_of("training.import_checkpoint"),
        recipe=digest_of_recipe,
        results=LAYOUT.root,
        protocol=PLAN.digest(RecordKind.PROTOCOL),
        data=PLAN.data.training_data_key(),
    message:
        "Take the released checkpoint of {wildcards.variant}"
    shell:
        "python -m transpose step import-checkpoint {wildcards.variant:q} --results {params.results:q} --weights {input.weights:q} 2> {log:q}"


# Backbones for other variants to start from (config/pretrain.yaml); not part of `rule all`. Code is no trigger: the
# tensors are copied, and trainings start from them.
rule export_backbone:
    input:
        weights=LAYOUT.train(RunId("{variant}", 0)).weights,
    output:
        LAYOUT.backbone("{variant}"),
    log:
        LAYOUT.log("backbones", "{variant}"),
    conda:
        "../../environment.yml"
    params:
        record=str(LAYOUT.record(RecordKind.RECIPE, "{variant}")),
        description=f"pretrained on {PLAN.data.training_data()}",
    message:
        "Take the backbone out of {wildcards.variant}"
    shell:
        "python -m transpose step export-backbone --recipe {params.record:q} --weights {input.weights:q}"
        " --description {params.description:q} --output {output:q} 2> {log:q}"
