rule predict:
    input:
        recipe=f"{RESULTS}/records/recipes/{{variant}}.json",
        protocol=f"{RESULTS}/records/protocols/study.json",
        dataset=f"{RESULTS}/records/datasets/{{dataset}}.json",
        annotations=PLAN.data.annotations,
        weights=f"{RESULTS}/train/{{variant}}/seed{{seed}}/weights.safetensors",
        boxes=f"{RESULTS}/boxes/{{dataset}}/{{split}}/{{boxes}}.json",
    output:
        f"{RESULTS}/predictions/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/{{boxes}}.json",
    log:
        f"{RESULTS}/logs/predict/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/{{boxes}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/predict/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/{{boxes}}.tsv"
    conda:
        "../../environment.yml"
    threads: PLAN.study.protocol.threads
    resources:
        gpu=GPUS,
        workers=lambda wildcards: PLAN.recipes[wildcards.variant].training.workers,
    params:
        code=code_fingerprint(*PREDICTION_CODE),
    message:
        "Predict {wildcards.dataset} {wildcards.split} on {wildcards.boxes} boxes with {wildcards.variant}, seed {wildcards.seed}"
    shell:
        "python -m transpose predict --recipe {input.recipe:q} --protocol {input.protocol:q} --dataset {input.dataset:q}"
        " --annotations {input.annotations:q} --weights {input.weights:q} --boxes {input.boxes:q}"
        " --workers {resources.workers:q} --output {output:q} 2> {log:q}"


rule evaluate:
    input:
        protocol=f"{RESULTS}/records/protocols/study.json",
        dataset=f"{RESULTS}/records/datasets/{{dataset}}.json",
        annotations=PLAN.data.annotations,
        run=f"{RESULTS}/train/{{variant}}/seed{{seed}}/run.json",
        weights=f"{RESULTS}/train/{{variant}}/seed{{seed}}/weights.safetensors",
        boxes=f"{RESULTS}/boxes/{{dataset}}/{{split}}/{{boxes}}.json",
        predictions=rules.predict.output,
    output:
        metrics=f"{RESULTS}/metrics/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/{{boxes}}.json",
        matches=f"{RESULTS}/metrics/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/{{boxes}}.npz",
    log:
        f"{RESULTS}/logs/evaluate/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/{{boxes}}.log",
    conda:
        "../../environment.yml"
    params:
        code=code_fingerprint(*EVALUATION_CODE),
        samples=PLAN.study.bootstrap_samples,
        seed=PLAN.study.bootstrap_seed,
    message:
        "Evaluate {wildcards.variant}, seed {wildcards.seed}, on {wildcards.dataset} {wildcards.split}, {wildcards.boxes} boxes"
    shell:
        "python -m transpose evaluate --protocol {input.protocol:q} --dataset {input.dataset:q}"
        " --annotations {input.annotations:q} --run {input.run:q} --boxes {input.boxes:q}"
        " --predictions {input.predictions:q} --bootstrap {params.samples:q} --bootstrap-seed {params.seed:q}"
        " --output {output.metrics:q} 2> {log:q}"
