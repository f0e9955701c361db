rule compare:
    input:
        study=f"{RESULTS}/records/studies/{PLAN.study.name}.json",
        recipes=[
            f"{RESULTS}/records/recipes/{variant}.json"
            for variant in PLAN.study.variants
        ],
        datasets=[
            f"{RESULTS}/records/datasets/{dataset}.json" for dataset in PLAN.datasets
        ],
        published="config/published.yaml",
        metrics=PLAN.evaluation.metrics(),
        box_counts=PLAN.boxes.counts(),
        box_metrics=PLAN.boxes.metrics(),
        runs=[
            f"{RESULTS}/train/{variant}/seed{seed}/run.json"
            for variant, seed in PLAN.training.runs()
        ],
        costs=[f"{RESULTS}/cost/{variant}.json" for variant in PLAN.study.variants],
    output:
        report(
            f"{RESULTS}/comparison.html",
            caption="../report/comparison.rst",
            category="Comparison",
            labels={"table": "all variants"},
        ),
        multiext(f"{RESULTS}/comparison", ".csv", ".md", ".tex", ".txt"),
        f"{RESULTS}/person_boxes.csv",
        report(
            f"{RESULTS}/ablations.html",
            caption="../report/ablations.rst",
            category="Comparison",
            labels={"table": "ablations"},
        ),
        multiext(f"{RESULTS}/ablations", ".csv", ".md", ".tex"),
        report(
            f"{RESULTS}/verdicts.html",
            caption="../report/verdicts.rst",
            category="Comparison",
            labels={"table": "published figures"},
        ),
        multiext(f"{RESULTS}/verdicts", ".csv", ".md", ".tex"),
        report(
            PLAN.evaluation.figures(),
            caption="../report/figures.rst",
            category="Figures",
        ),
    log:
        f"{RESULTS}/logs/compare.log",
    conda:
        "../../environment.yml"
    params:
        code=code_fingerprint("reporting", "evaluation/bootstrap.py"),
        present_code=code_fingerprint(*TRAINING_CODE),
    message:
        "Compare all variants"
    shell:
        "python -m transpose compare --study {input.study:q} --published {input.published:q} 2> {log:q}"
