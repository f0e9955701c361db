rule findings:
    input:
        study=f"{RESULTS}/records/studies/{PLAN.study.name}.json",
        datasets=[
            f"{RESULTS}/records/datasets/{dataset}.json" for dataset in PLAN.datasets
        ],
        recipes=[
            f"{RESULTS}/records/recipes/{variant}.json"
            for variant in PLAN.study.variants
        ],
        metrics=PLAN.evaluation.metrics(),
        statistics=PLAN.attention.measures("attention_statistics"),
        faithfulness=PLAN.attention.measures("faithfulness"),
        ablations=PLAN.attention.measures("attention_ablation"),
        body_parts=PLAN.attention.measures("body_parts"),
    output:
        report(
            f"{RESULTS}/findings.html",
            caption="../report/findings.rst",
            category="Attention",
            labels={"table": "findings"},
        ),
        f"{RESULTS}/findings.md",
    log:
        f"{RESULTS}/logs/findings.log",
    conda:
        "../../environment.yml"
    params:
        code=code_fingerprint("reporting", *EVALUATION_CODE),
    message:
        "Hold the paper's claims about attention to what was measured"
    shell:
        "python -m transpose findings --study {input.study:q} 2> {log:q}"
