rule compare:
    input:
        study=f"{RESULTS}/records/studies/{PLAN.study.name}.json",
        recipes=[
            f"{RESULTS}/records/recipes/{variant}.json"
            for variant in PLAN.study.variants
        ],
        published="config/published.yaml",
        metrics=PLAN.metrics(),
        runs=[
            f"{RESULTS}/train/{variant}/seed{seed}/run.json"
            for variant, seed in PLAN.runs()
        ],
        costs=[f"{RESULTS}/cost/{variant}.json" for variant in PLAN.study.variants],
    output:
        report(
            f"{RESULTS}/comparison.html",
            caption="../report/comparison.rst",
            category="Comparison",
            labels={"table": "all variants"},
        ),
        multiext(f"{RESULTS}/comparison", ".csv", ".md", ".tex"),
        report(
            f"{RESULTS}/ablations.html",
            caption="../report/ablations.rst",
            category="Comparison",
            labels={"table": "ablations"},
        ),
        multiext(f"{RESULTS}/ablations", ".csv", ".md", ".tex"),
        report(
            expand(f"{RESULTS}/figures/{{figure}}.png", figure=PLAN.figures),
            caption="../report/figures.rst",
            category="Figures",
        ),
    log:
        f"{RESULTS}/logs/compare.log",
    conda:
        "../../environment.yml"
    params:
        code=code_fingerprint("reporting", "evaluation/bootstrap.py"),
        present_code=code_fingerprint(*PLAN.training_code),
    message:
        "Compare all variants"
    shell:
        "python -m transpose compare --study {input.study} --published {input.published} 2> {log}"
