rule measure_faithfulness:
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
        report=f"{RESULTS}/faithfulness/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/{{boxes}}.json",
        matrices=f"{RESULTS}/faithfulness/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/{{boxes}}.npz",
    log:
        f"{RESULTS}/logs/faithfulness/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/{{boxes}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/faithfulness/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/{{boxes}}.tsv"
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
        "Faithfulness of attention on {wildcards.dataset} {wildcards.split} with {wildcards.variant}, seed {wildcards.seed}"
    shell:
        "python -m transpose measure-faithfulness --recipe {input.recipe:q} --protocol {input.protocol:q}"
        " --dataset {input.dataset:q} --annotations {input.annotations:q} --run {input.run:q} --boxes {input.boxes:q}"
        " --settings {input.settings:q} --bootstrap {params.samples:q} --bootstrap-seed {params.seed:q}"
        " --output {output.report:q} 2> {log:q}"


rule compare_faithfulness:
    input:
        study=f"{RESULTS}/records/studies/{PLAN.study.name}.json",
        reports=PLAN.attention.measures("faithfulness"),
    output:
        report(
            f"{RESULTS}/faithfulness.html",
            caption="../report/faithfulness.rst",
            category="Attention",
            labels={"table": "faithfulness"},
        ),
        multiext(f"{RESULTS}/faithfulness", ".csv", ".md", ".tex"),
        report(
            PLAN.attention.faithfulness_figures(),
            caption="../report/faithfulness.rst",
            category="Attention",
            labels={"figure": "deletion and insertion"},
        ),
    log:
        f"{RESULTS}/logs/compare_faithfulness.log",
    conda:
        "../../environment.yml"
    params:
        code=code_fingerprint("reporting"),
    message:
        "Compare the faithfulness of explanations"
    shell:
        "python -m transpose compare-faithfulness --study {input.study:q} 2> {log:q}"
