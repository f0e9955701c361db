rule generalise:
    input:
        recipe=f"{RESULTS}/records/recipes/{{variant}}.json",
        protocol=f"{RESULTS}/records/protocols/study.json",
        dataset=f"{RESULTS}/records/datasets/{{dataset}}.json",
        annotations=PLAN.data.annotations,
        run=f"{RESULTS}/train/{{variant}}/seed{{seed}}/run.json",
        weights=f"{RESULTS}/train/{{variant}}/seed{{seed}}/weights.safetensors",
        boxes=f"{RESULTS}/boxes/{{dataset}}/{{split}}/{{boxes}}.json",
        settings=f"{RESULTS}/records/resolutions/study.json",
    output:
        directory(
            f"{RESULTS}/resolutions/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/{{boxes}}"
        ),
    log:
        f"{RESULTS}/logs/resolutions/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/{{boxes}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/resolutions/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/{{boxes}}.tsv"
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
            "evaluation/generalise.py",
            "evaluation/side_records.py",
        ),
        samples=PLAN.study.bootstrap_samples,
        seed=PLAN.study.bootstrap_seed,
    message:
        "Other input sizes on {wildcards.dataset} {wildcards.split}, {wildcards.boxes} boxes, with {wildcards.variant}, seed {wildcards.seed}"
    shell:
        "python -m transpose generalise --recipe {input.recipe:q} --protocol {input.protocol:q} --dataset {input.dataset:q}"
        " --annotations {input.annotations:q} --run {input.run:q} --boxes {input.boxes:q} --settings {input.settings:q}"
        " --bootstrap {params.samples:q} --bootstrap-seed {params.seed:q} --workers {resources.workers:q}"
        " --output {output:q} 2> {log:q}"


rule compare_resolutions:
    input:
        study=f"{RESULTS}/records/studies/{PLAN.study.name}.json",
        recipes=[
            f"{RESULTS}/records/recipes/{variant}.json"
            for variant in PLAN.study.variants
        ],
        metrics=PLAN.evaluation.metrics(),
        resolutions=PLAN.evaluation.resolutions(),
    output:
        report(
            f"{RESULTS}/resolutions.html",
            caption="../report/resolutions.rst",
            category="Comparison",
            labels={"table": "other input sizes"},
        ),
        multiext(f"{RESULTS}/resolutions", ".csv", ".md", ".tex"),
        report(
            PLAN.evaluation.resolution_figures(),
            caption="../report/resolutions.rst",
            category="Figures",
        ),
    log:
        f"{RESULTS}/logs/compare_resolutions.log",
    conda:
        "../../environment.yml"
    params:
        code=code_fingerprint("reporting"),
    message:
        "Compare input sizes"
    shell:
        "python -m transpose compare-resolutions --study {input.study:q} 2> {log:q}"
