rule explorer:
    input:
        settings=f"{RESULTS}/records/explanations/study.json",
        protocol=f"{RESULTS}/records/protocols/study.json",
        dataset=f"{RESULTS}/records/datasets/{{dataset}}.json",
        annotations=PLAN.data.annotations,
        runs=PLAN.attention.explored_runs(),
        weights=[
            run.replace("run.json", "weights.safetensors")
            for run in PLAN.attention.explored_runs()
        ],
    output:
        report(
            f"{RESULTS}/explorer/{{dataset}}_{{split}}.html",
            caption="../report/explorer.rst",
            category="Attention",
            subcategory="{dataset}",
            labels={"page": "explorer", "split": "{split}"},
        ),
    log:
        f"{RESULTS}/logs/explorer/{{dataset}}_{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/explorer/{{dataset}}_{{split}}.tsv"
    wildcard_constraints:
        dataset="|".join(PLAN.datasets),
    conda:
        "../../environment.yml"
    threads: PLAN.study.protocol.threads
    resources:
        gpu=GPUS,
    params:
        code=code_fingerprint(
            *PREDICTION_CODE,
            "attention",
            "reporting/explanation.py",
            "reporting/explored_models.py",
            "reporting/explorer.py",
            "reporting/trained.py",
            *[
                f"reporting/templates/explorer.{suffix}"
                for suffix in ("html", "css", "js")
            ],
        ),
        runs=lambda wildcards, input: [f"--run={run}" for run in input.runs],
    message:
        "Explorer of attention on {wildcards.dataset} {wildcards.split}"
    shell:
        "python -m transpose explore {params.runs:q} --settings {input.settings:q} --protocol {input.protocol:q}"
        " --dataset {input.dataset:q} --split {wildcards.split:q} --annotations {input.annotations:q}"
        " --output {output:q} 2> {log:q}"
