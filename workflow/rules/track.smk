rule track_run:
    input:
        database=rules.track_database.output,
        recipe=f"{RESULTS}/records/recipes/{{variant}}.json",
        run=f"{RESULTS}/train/{{variant}}/seed{{seed}}/run.json",
        weights=f"{RESULTS}/train/{{variant}}/seed{{seed}}/weights.safetensors",
        history=lambda wildcards: PLAN.training.histories(
            wildcards.variant, wildcards.seed
        ),
        cost=rules.cost.output,
        metrics=lambda wildcards: PLAN.evaluation.metrics_of(
            wildcards.variant, wildcards.seed
        ),
        box_counts=PLAN.boxes.counts(),
        box_metrics=PLAN.boxes.metrics(),
        explanations=lambda wildcards: PLAN.attention.explanations_of(
            wildcards.variant, wildcards.seed
        ),
    output:
        f"{RESULTS}/tracking/{{variant}}/seed{{seed}}.json",
    log:
        f"{RESULTS}/logs/track/{{variant}}/seed{{seed}}.log",
    conda:
        "../../environment.yml"
    params:
        code=code_fingerprint("tracking"),
        results=subpath(output[0], ancestor=3),
        study=PLAN.study.name,
    message:
        "Bring MLflow level with {wildcards.variant}, seed {wildcards.seed}"
    shell:
        "python -m transpose track --results {params.results:q} --study {params.study:q} --variant {wildcards.variant:q}"
        " --seed {wildcards.seed:q} --output {output:q} 2> {log:q}"


rule track_study:
    input:
        comparison=rules.compare.output,
        side_tables=PLAN.evaluation.side_tables(),
        explorers=PLAN.attention.explorers(),
        runs=[
            f"{RESULTS}/tracking/{variant}/seed{seed}.json"
            for variant, seed in PLAN.training.runs()
        ],
    output:
        f"{RESULTS}/tracking/study.json",
    log:
        f"{RESULTS}/logs/track/study.log",
    conda:
        "../../environment.yml"
    params:
        code=code_fingerprint("tracking"),
        results=subpath(output[0], ancestor=2),
        study=PLAN.study.name,
    message:
        "Store the comparison in MLflow"
    shell:
        "python -m transpose track-study --results {params.results:q} --study {params.study:q} --output {output:q} 2> {log:q}"
