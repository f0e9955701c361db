rule measure_precision:
    input:
        recipe=f"{RESULTS}/records/recipes/{{variant}}.json",
        protocol=f"{RESULTS}/records/protocols/study.json",
        dataset=f"{RESULTS}/records/datasets/{{dataset}}.json",
        annotations=PLAN.data.annotations,
        run=f"{RESULTS}/train/{{variant}}/seed{{seed}}/run.json",
        weights=f"{RESULTS}/train/{{variant}}/seed{{seed}}/weights.safetensors",
        boxes=f"{RESULTS}/boxes/{{dataset}}/{{split}}/{{boxes}}.json",
        settings=f"{RESULTS}/records/precisions/study.json",
    output:
        f"{RESULTS}/precision/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/{{boxes}}.json",
    log:
        f"{RESULTS}/logs/precision/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/{{boxes}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/precision/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/{{boxes}}.tsv"
    conda:
        "../../environment.yml"
    threads: PLAN.study.protocol.threads
    resources:
        gpu=GPUS,
        workers=lambda wildcards: PLAN.recipes[wildcards.variant].training.workers,
    params:
        code=code_fingerprint(
            *PREDICTION_CODE,
            *EVALUATION_CODE,
            "compute.py",
            "evaluation/precision.py",
            "evaluation/side_records.py",
        ),
        samples=PLAN.study.bootstrap_samples,
        seed=PLAN.study.bootstrap_seed,
    message:
        "Cheaper arithmetic on {wildcards.dataset} {wildcards.split}, {wildcards.boxes} boxes, with {wildcards.variant}, seed {wildcards.seed}"
    shell:
        "python -m transpose measure-precision --recipe {input.recipe:q} --protocol {input.protocol:q}"
        " --dataset {input.dataset:q} --annotations {input.annotations:q} --run {input.run:q} --boxes {input.boxes:q}"
        " --settings {input.settings:q} --bootstrap {params.samples:q} --bootstrap-seed {params.seed:q}"
        " --workers {resources.workers:q} --output {output:q} 2> {log:q}"


rule compare_precisions:
    input:
        study=f"{RESULTS}/records/studies/{PLAN.study.name}.json",
        precisions=PLAN.evaluation.precisions(),
    output:
        report(
            f"{RESULTS}/precision.html",
            caption="../report/precision.rst",
            category="Comparison",
            labels={"table": "cheaper arithmetic"},
        ),
        multiext(f"{RESULTS}/precision", ".csv", ".md", ".tex"),
    log:
        f"{RESULTS}/logs/compare_precisions.log",
    conda:
        "../../environment.yml"
    params:
        code=code_fingerprint("reporting"),
    message:
        "Compare precisions"
    shell:
        "python -m transpose compare-precisions --study {input.study:q} 2> {log:q}"
