rule explain:
    input:
        recipe=f"{RESULTS}/records/recipes/{{variant}}.json",
        settings=f"{RESULTS}/records/explanations/study.json",
        protocol=f"{RESULTS}/records/protocols/study.json",
        dataset=f"{RESULTS}/records/datasets/{{dataset}}.json",
        annotations=PLAN.data.annotations,
        weights=f"{RESULTS}/train/{{variant}}/seed{{seed}}/weights.safetensors",
    output:
        maps=f"{RESULTS}/attention/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/maps.npz",
        persons=f"{RESULTS}/attention/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/persons.json",
        figures=report(
            directory(
                f"{RESULTS}/attention/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/figures"
            ),
            patterns=["{person}_{area}.png"],
            caption="../report/attention.rst",
            category="Attention",
            subcategory="{dataset}",
            labels={
                "variant": "{variant}",
                "seed": "{seed}",
                "person": "{person}",
                "area": "{area}",
            },
        ),
    log:
        f"{RESULTS}/logs/explain/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/explain/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}.tsv"
    conda:
        "../../environment.yml"
    threads: PLAN.study.protocol.threads
    resources:
        gpu=GPUS,
    params:
        code=code_fingerprint(
            *PREDICTION_CODE,
            "attention",
            "reporting/attention_figure.py",
            "reporting/explanation.py",
            "reporting/trained.py",
        ),
    message:
        "Attention maps of {wildcards.variant}, seed {wildcards.seed}, on {wildcards.dataset} {wildcards.split}"
    shell:
        "python -m transpose explain-persons --recipe {input.recipe:q} --settings {input.settings:q} --protocol {input.protocol:q}"
        " --dataset {input.dataset:q} --annotations {input.annotations:q} --weights {input.weights:q}"
        " --output {output.maps:q} 2> {log:q}"
