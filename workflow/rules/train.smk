# The code is not a trigger here: nobody wants to retrain for a comment. run.json names the code that ran, and the
# comparison marks rows whose code has changed since. The resumable checkpoint stays undeclared: declared outputs of a
# killed job are deleted.
rule train:
    input:
        recipe=f"{RESULTS}/records/recipes/{{variant}}.json",
        protocol=f"{RESULTS}/records/protocols/study.json",
        # Of the data set only `learnt_from` below decides the weights: other boxes or another title must not retrain.
        dataset=ancient(f"{RESULTS}/records/datasets/{PLAN.study.train.dataset}.json"),
        train=PLAN.data.split_annotations(PLAN.study.train),
        validation=PLAN.data.split_annotations(PLAN.study.validation),
        backbone=lambda wildcards: PLAN.training.backbone_weights(wildcards.variant),
        initial=lambda wildcards: PLAN.training.initial_weights(wildcards.variant),
        # Its presence matters, not its age: nobody wants to retrain for a new tracking database.
        database=ancient(f"{RESULTS}/tracking/database.json"),
    output:
        weights=f"{RESULTS}/train/{{variant}}/seed{{seed}}/weights.safetensors",
        last=f"{RESULTS}/train/{{variant}}/seed{{seed}}/last.safetensors",
        history=f"{RESULTS}/train/{{variant}}/seed{{seed}}/history.jsonl",
        run=f"{RESULTS}/train/{{variant}}/seed{{seed}}/run.json",
    log:
        f"{RESULTS}/logs/train/{{variant}}/seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train/{{variant}}/seed{{seed}}.tsv"
    wildcard_constraints:
        variant=PLAN.training.names_of_trained(),
    conda:
        "../../environment.yml"
    threads: lambda wildcards: PLAN.training.threads(wildcards.variant)
    # Resources are no trigger, unlike parameters: how pictures are loaded decides no byte.
    resources:
        gpu=lambda wildcards: GPUS * PLAN.recipes[wildcards.variant].training.gpus,
        workers=lambda wildcards: PLAN.recipes[wildcards.variant].training.workers,
        picture_cache_gb=lambda wildcards: PLAN.training.picture_cache_gb(
            wildcards.variant
        ),
    params:
        results=subpath(output.run, ancestor=4),
        study=PLAN.study.name,
        learnt_from=PLAN.data.learnt_from(),
    message:
        "Train {wildcards.variant}, seed {wildcards.seed}"
    shell:
        "python -m transpose train --recipe {input.recipe:q} --seed {wildcards.seed:q} --dataset {input.dataset:q}"
        " --train {input.train:q} --validation {input.validation:q} --protocol {input.protocol:q}"
        " --workers {resources.workers:q} --picture-cache-gb {resources.picture_cache_gb:q}"
        " --results {params.results:q} --study {params.study:q} 2> {log:q}"
