rule ablate_attention:
    input:
        recipe=f"{RESULTS}/records/recipes/{{variant}}.json",
        protocol=f"{RESULTS}/records/protocols/study.json",
        settings=f"{RESULTS}/records/attention/study.json",
        dataset=f"{RESULTS}/records/datasets/{{dataset}}.json",
        annotations=PLAN.data.annotations,
        run=f"{RESULTS}/train/{{variant}}/seed{{seed}}/run.json",
        weights=f"{RESULTS}/train/{{variant}}/seed{{seed}}/weights.safetensors",
        boxes=f"{RESULTS}/boxes/{{dataset}}/{{split}}/{{boxes}}.json",
    output:
        f"{RESULTS}/attention_ablation/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/{{boxes}}.json",
    log:
        f"{RESULTS}/logs/attention_ablation/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/{{boxes}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/attention_ablation/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/{{boxes}}.tsv"
    conda:
        "../../environment.yml"
    threads: PLAN.study.protocol.threads
    resources:
        gpu=GPUS,
    params:
        code=code_fingerprint(
            *PREDICTION_CODE,
            *EVALUATION_CODE,
            "attention",
        ),
        samples=PLAN.study.bootstrap_samples,
        seed=PLAN.study.bootstrap_seed,
    message:
        "Attention changed at test time on {wildcards.dataset} {wildcards.split} with {wildcards.variant}, seed {wildcards.seed}"
    shell:
        "python -m transpose ablate-attention --recipe {input.recipe:q} --protocol {input.protocol:q}"
        " --dataset {input.dataset:q} --annotations {input.annotations:q} --run {input.run:q} --boxes {input.boxes:q}"
        " --settings {input.settings:q} --bootstrap {params.samples:q} --bootstrap-seed {params.seed:q}"
        " --output {output:q} 2> {log:q}"


rule compare_attention_ablations:
    input:
        study=f"{RESULTS}/records/studies/{PLAN.study.name}.json",
        reports=PLAN.attention.measures("attention_ablation"),
    output:
        report(
            f"{RESULTS}/attention_ablation.html",
            caption="../report/attention_ablation.rst",
            category="Attention",
            labels={"table": "attention changed at test time"},
        ),
        multiext(f"{RESULTS}/attention_ablation", ".csv", ".md", ".tex"),
    log:
        f"{RESULTS}/logs/compare_attention_ablations.log",
    conda:
        "../../environment.yml"
    params:
        code=code_fingerprint("reporting"),
    message:
        "Compare attention changed at test time"
    shell:
        "python -m transpose compare-attention-ablations --study {input.study:q} 2> {log:q}"
