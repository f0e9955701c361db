rule ablate_protocol:
    input:
        recipe=f"{RESULTS}/records/recipes/{{variant}}.json",
        protocol=f"{RESULTS}/records/protocols/study.json",
        dataset=f"{RESULTS}/records/datasets/{{dataset}}.json",
        annotations=PLAN.data.annotations,
        run=f"{RESULTS}/train/{{variant}}/seed{{seed}}/run.json",
        weights=f"{RESULTS}/train/{{variant}}/seed{{seed}}/weights.safetensors",
        boxes=f"{RESULTS}/boxes/{{dataset}}/{{split}}/{{boxes}}.json",
    output:
        f"{RESULTS}/protocols/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/{{boxes}}.json",
    log:
        f"{RESULTS}/logs/protocols/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/{{boxes}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/protocols/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/{{boxes}}.tsv"
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
            "evaluation/protocol_ablation.py",
            "evaluation/side_records.py",
        ),
    message:
        "Every protocol on {wildcards.dataset} {wildcards.split}, {wildcards.boxes} boxes, with {wildcards.variant}, seed {wildcards.seed}"
    shell:
        "python -m transpose ablate-protocol --recipe {input.recipe:q} --protocol {input.protocol:q}"
        " --dataset {input.dataset:q} --annotations {input.annotations:q} --run {input.run:q} --boxes {input.boxes:q}"
        " --workers {resources.workers:q} --output {output:q} 2> {log:q}"


rule compare_protocols:
    input:
        study=f"{RESULTS}/records/studies/{PLAN.study.name}.json",
        ablations=PLAN.evaluation.protocol_ablations(),
    output:
        report(
            f"{RESULTS}/protocol_ablation.html",
            caption="../report/protocols.rst",
            category="Comparison",
            labels={"table": "protocol ablation"},
        ),
        multiext(f"{RESULTS}/protocol_ablation", ".csv", ".md", ".tex"),
    log:
        f"{RESULTS}/logs/compare_protocols.log",
    conda:
        "../../environment.yml"
    params:
        code=code_fingerprint("reporting"),
    message:
        "Compare evaluation protocols"
    shell:
        "python -m transpose compare-protocols --study {input.study:q} 2> {log:q}"
