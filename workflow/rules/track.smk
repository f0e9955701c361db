# One rule creates the SQLite database first, since parallel jobs that create it at the same time fail. The database is
# not an output: it changes with every log line, and Snakemake deletes outputs before a rule runs again.
rule track_database:
    output:
        LAYOUT.tracking_database(),
    log:
        LAYOUT.log("track", "database"),
    localrule: True
    conda:
        "../../environment.yml"
    resources:
        **SMALL,
    params:
        destination=PLAN.tracking.digest(),
        results=LAYOUT.root,
    message:
        "Create the MLflow database"
    shell:
        "python -m transpose step track-database --results {params.results:q} 2> {log:q}"


rule track_run:
    input:
        database=rules.track_database.output,
        run=LAYOUT.train(RUN).record,
        weights=LAYOUT.train(RUN).weights,
        history=lambda wildcards: PLAN.training.histories(
            RunId(wildcards.variant, wildcards.seed)
        ),
        cost=LAYOUT.cost("{variant}"),
        metrics=lambda wildcards: PLAN.evaluation.metrics_of(
            RunId(wildcards.variant, wildcards.seed)
        ),
        attention=lambda wildcards: PLAN.evaluation.attention_maps_of(
            RunId(wildcards.variant, wildcards.seed)
        ),
    output:
        LAYOUT.tracked_run(RUN),
    log:
        LAYOUT.log("track", RUN),
    conda:
        "../../environment.yml"
    resources:
        **SMALL,
    params:
        code=code_of("tracking.sync_run"),
        recipe=digest_of_recipe,
        results=LAYOUT.root,
    message:
        "Log {wildcards.variant}, seed {wildcards.seed}, to MLflow"
    shell:
        "python -m transpose step track {wildcards.variant:q}/seed{wildcards.seed:q} --results {params.results:q} 2> {log:q}"


rule track_study:
    input:
        comparison=rules.compare.output,
        analyses=PLAN.evaluation.analysis_tables(),
        viewers=PLAN.evaluation.viewers(),
        errors=PLAN.evaluation.error_browsers(),
        report=rules.study_report.output,
        runs=[LAYOUT.tracked_run(run) for run in PLAN.training.runs()],
    output:
        LAYOUT.tracked_study(),
    log:
        LAYOUT.log("track", "study"),
    conda:
        "../../environment.yml"
    resources:
        **SMALL,
    params:
        code=code_of("tracking.sync_study"),
        results=LAYOUT.root,
    message:
        "Log the comparison to MLflow"
    shell:
        "python -m transpose step track-study --results {params.results:q} 2> {log:q}"
