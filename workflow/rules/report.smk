# Pages that open without a server, drawn from the tables, figures and attention maps of the study.
rule study_report:
    input:
        comparison=rules.compare.output,
        analyses=PLAN.evaluation.analysis_tables(),
        attention=[
            path
            for run in PLAN.evaluation.viewer_runs()
            for path in PLAN.evaluation.attention_maps_of(run)
        ],
        viewers=PLAN.evaluation.viewers(),
        browsers=PLAN.evaluation.error_browsers(),
        errors=PLAN.evaluation.model_errors(),
    output:
        pages=[LAYOUT.report(page) for page in REPORT_PAGES],
        persons=directory(LAYOUT.report_persons),
    log:
        LAYOUT.log("study_report"),
    conda:
        "../../environment.yml"
    resources:
        **SMALL,
    params:
        **STUDY_PARAMS,
        code=code_of("reporting.study_page.write"),
    message:
        "Write the report"
    shell:
        "python -m transpose step report --results {params.results:q} 2> {log:q}"
