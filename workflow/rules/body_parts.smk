rule label_parts:
    input:
        dataset=f"{RESULTS}/records/datasets/{{dataset}}.json",
        annotations=PLAN.data.annotations,
    output:
        f"{PLAN.study.resources}/{{dataset}}/{{split}}/parts.npz",
    log:
        f"{RESULTS}/logs/label_parts/{{dataset}}/{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/label_parts/{{dataset}}/{{split}}.tsv"
    wildcard_constraints:
        dataset=PLAN.data.names_of_rendered(),
    conda:
        "../../environment.yml"
    # As many as `--cores` allows; the labels do not depend on it.
    threads: 64
    params:
        code=code_fingerprint("data/synthetic", "data/part_labels.py"),
    message:
        "Label the body parts in split {wildcards.split} of {wildcards.dataset}"
    shell:
        "python -m transpose label-parts --dataset {input.dataset:q} --split {wildcards.split:q}"
        " --annotations {input.annotations:q} --jobs {threads} --output {output:q} 2> {log:q}"


rule measure_body_parts:
    input:
        recipe=f"{RESULTS}/records/recipes/{{variant}}.json",
        protocol=f"{RESULTS}/records/protocols/study.json",
        settings=f"{RESULTS}/records/attention/study.json",
        dataset=f"{RESULTS}/records/datasets/{{dataset}}.json",
        annotations=PLAN.data.annotations,
        run=f"{RESULTS}/train/{{variant}}/seed{{seed}}/run.json",
        weights=f"{RESULTS}/train/{{variant}}/seed{{seed}}/weights.safetensors",
        boxes=f"{RESULTS}/boxes/{{dataset}}/{{split}}/{{boxes}}.json",
        parts=PLAN.data.part_labels,
    output:
        f"{RESULTS}/body_parts/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/{{boxes}}.json",
    log:
        f"{RESULTS}/logs/body_parts/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/{{boxes}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/body_parts/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/{{boxes}}.tsv"
    conda:
        "../../environment.yml"
    threads: PLAN.study.protocol.threads
    resources:
        gpu=GPUS,
    params:
        code=code_fingerprint(*PREDICTION_CODE, "data/part_labels.py", "attention"),
        parts=lambda wildcards, input: [f"--parts={path}" for path in input.parts],
        samples=PLAN.study.bootstrap_samples,
        seed=PLAN.study.bootstrap_seed,
    message:
        "Mirror partners and neighbours on {wildcards.dataset} {wildcards.split} with {wildcards.variant}, seed {wildcards.seed}"
    shell:
        "python -m transpose measure-body-parts --recipe {input.recipe:q} --protocol {input.protocol:q}"
        " --dataset {input.dataset:q} --annotations {input.annotations:q} --run {input.run:q} --boxes {input.boxes:q}"
        " --settings {input.settings:q} --bootstrap {params.samples:q} --bootstrap-seed {params.seed:q}"
        " {params.parts:q} --output {output:q} 2> {log:q}"


rule compare_body_parts:
    input:
        study=f"{RESULTS}/records/studies/{PLAN.study.name}.json",
        reports=PLAN.attention.measures("body_parts"),
    output:
        report(
            f"{RESULTS}/body_parts.html",
            caption="../report/body_parts.rst",
            category="Attention",
            labels={"table": "mirror partners and neighbours"},
        ),
        multiext(f"{RESULTS}/body_parts", ".csv", ".md", ".tex"),
    log:
        f"{RESULTS}/logs/compare_body_parts.log",
    conda:
        "../../environment.yml"
    params:
        code=code_fingerprint("reporting"),
    message:
        "Compare what keypoints owe to other body parts"
    shell:
        "python -m transpose compare-body-parts --study {input.study:q} 2> {log:q}"
