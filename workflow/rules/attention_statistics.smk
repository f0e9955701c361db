rule measure_attention:
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
        report=f"{RESULTS}/attention_statistics/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/{{boxes}}.json",
        matrices=f"{RESULTS}/attention_statistics/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/{{boxes}}.npz",
    log:
        f"{RESULTS}/logs/attention_statistics/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/{{boxes}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/attention_statistics/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/{{boxes}}.tsv"
    conda:
        "../../environment.yml"
    threads: PLAN.study.protocol.threads
    resources:
        gpu=GPUS,
    params:
        code=code_fingerprint(*PREDICTION_CODE, "attention"),
        samples=PLAN.study.bootstrap_samples,
        seed=PLAN.study.bootstrap_seed,
    message:
        "Statistics of attention on {wildcards.dataset} {wildcards.split} with {wildcards.variant}, seed {wildcards.seed}"
    shell:
        "python -m transpose measure-attention --recipe {input.recipe:q} --protocol {input.protocol:q}"
        " --dataset {input.dataset:q} --annotations {input.annotations:q} --run {input.run:q} --boxes {input.boxes:q}"
        " --settings {input.settings:q} --bootstrap {params.samples:q} --bootstrap-seed {params.seed:q}"
        " --output {output.report:q} 2> {log:q}"


rule compare_attention:
    input:
        study=f"{RESULTS}/records/studies/{PLAN.study.name}.json",
        datasets=[
            f"{RESULTS}/records/datasets/{dataset}.json" for dataset in PLAN.datasets
        ],
        reports=PLAN.attention.measures("attention_statistics"),
    output:
        report(
            f"{RESULTS}/attention_statistics.html",
            caption="../report/attention_statistics.rst",
            category="Attention",
            labels={"table": "where joints look"},
        ),
        multiext(f"{RESULTS}/attention_statistics", ".csv", ".md", ".tex"),
        report(
            PLAN.attention.joint_figures(),
            caption="../report/attention_statistics.rst",
            category="Attention",
            labels={"figure": "joint to joint"},
        ),
    log:
        f"{RESULTS}/logs/compare_attention.log",
    conda:
        "../../environment.yml"
    params:
        code=code_fingerprint("reporting"),
    message:
        "Compare where joints look"
    shell:
        "python -m transpose compare-attention --study {input.study:q} 2> {log:q}"
