from transpose.config.weights import load_released

# Third-party checkpoints: pretrained backbones and released variants.
WEIGHTS = "config/tables/weights.yaml"


# Changed code is not a trigger, since trainings start from these weights. The checkpoint and the record of its digest
# are not outputs, since Snakemake would delete a file that a user has put there.
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
    resources:
        **SMALL,
    params:
        table=WEIGHTS,
        released=lambda wildcards: load_released(
            wildcards.weights, Path(WEIGHTS)
        ).model_dump_json(),
    message:
        "Download weights {wildcards.weights}"
    shell:
        "python -m transpose step download-weights {wildcards.weights:q} --table {params.table:q} --output {output:q} 2> {log:q}"


# Instead of training: write the released checkpoint as the weights of a run, with a run record.
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
    resources:
        **SMALL,
    params:
        content=CONTENT.of(
            weights=lambda wildcards: PLAN.training.released_weights(wildcards.variant)
        ),
        code=code_of("training.import_checkpoint"),
        recipe=digest_of_recipe,
        results=LAYOUT.root,
        protocol=PLAN.torch_protocol_digest(),
        data=PLAN.data.training_data_key(),
    message:
        "Import the released checkpoint of {wildcards.variant}"
    shell:
        "python -m transpose step import-checkpoint {wildcards.variant:q} --results {params.results:q} --weights {input.weights:q} 2> {log:q}"


# Backbones for the training of other variants (config/studies/pretrain.yaml); not part of `rule all`. Changed code is not a
# trigger, since the tensors are copied and trainings start from them.
rule export_backbone:
    input:
        weights=LAYOUT.train(RunId("{variant}", 0)).weights,
    output:
        LAYOUT.backbone("{variant}"),
    log:
        LAYOUT.log("backbones", "{variant}"),
    conda:
        "../../environment.yml"
    resources:
        **SMALL,
    params:
        content=CONTENT.of(weights=LAYOUT.train(RunId("{variant}", 0)).weights),
        record=str(LAYOUT.record(RecordKind.RECIPE, "{variant}")),
        # A function, since a string would be searched for wildcards, and the title may contain braces.
        description=lambda wildcards: f"pretrained on {PLAN.data.training_data()}",
    message:
        "Export the backbone of {wildcards.variant}"
    shell:
        "python -m transpose step export-backbone --recipe {params.record:q} --weights {input.weights:q}"
        " --description {params.description:q} --output {output:q} 2> {log:q}"
