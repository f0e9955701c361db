# The code is not a trigger here: nobody wants to retrain for a comment. run.json names the code that ran, and the
# comparison marks rows whose code has changed since. The resumable checkpoint stays undeclared: declared outputs of a
# killed job are deleted.
rule train:
    input:
        train=PLAN.data.split_annotations(PLAN.study.train),
        validation=PLAN.data.split_annotations(PLAN.study.validation),
        backbone=lambda wildcards: PLAN.training.backbone_weights(wildcards.variant),
        initial=lambda wildcards: PLAN.training.initial_weights(wildcards.variant),
        # Its presence matters, not its age: nobody wants to retrain for a new tracking database.
        database=ancient(LAYOUT.tracking_database()),
    output:
        weights=LAYOUT.train(RUN).weights,
        last=LAYOUT.train(RUN).last_weights,
        history=LAYOUT.train(RUN).history,
        run=LAYOUT.train(RUN).record,
    log:
        LAYOUT.log("train", RUN),
    benchmark:
        LAYOUT.benchmark("train", RUN)
    wildcard_constraints:
        variant=PLAN.training.names_of_trained(),
    conda:
        "../../environment.yml"
    threads: lambda wildcards: PLAN.training.threads(wildcards.variant)
    # Resources are no trigger, unlike parameters: how images are loaded decides no byte.
    resources:
        gpu=lambda wildcards: GPUS * PLAN.recipes[wildcards.variant].training.gpus,
        workers=workers_of_variant,
        image_cache_gb=lambda wildcards: PLAN.training.image_cache_gb(wildcards.variant),
    params:
        recipe=digest_of_recipe,
        protocol=PLAN.digest(RecordKind.PROTOCOL),
        data=PLAN.data.training_data_key(),
        results=LAYOUT.root,
    message:
        "Train {wildcards.variant}, seed {wildcards.seed}"
    shell:
        "python -m transpose step train {wildcards.variant:q}/seed{wildcards.seed:q} --results {params.results:q}"
        " --train {input.train:q} --validation {input.validation:q}"
        " --workers {resources.workers:q} --image-cache-gb {resources.image_cache_gb:q} 2> {log:q}"
