# Tables of the study. The rules differ only in inputs, outputs and code.
STUDY_PARAMS = dict(
    study=PLAN.digest(RecordKind.STUDY),
    recipes=digests(RecordKind.RECIPE, PLAN.study.variants),
    datasets=digests(RecordKind.DATASET, PLAN.datasets),
    results=LAYOUT.root,
)


TABLES = [suffix for suffix in TABLE_SUFFIXES if suffix != ".html"]


rule compare:
    input:
        published="config/tables/published.yaml",
        metrics=PLAN.evaluation.metrics(),
        external=PLAN.evaluation.external(),
        checks=PLAN.checks.inputs(),
        box_counts=PLAN.boxes.counts(),
        box_metrics=PLAN.boxes.metrics(),
        runs=PLAN.training.records(),
        costs=[LAYOUT.cost(variant) for variant in PLAN.study.variants],
    output:
        page("comparison", "Comparison"),
        page("ablations", "Comparison"),
        page("verdicts", "Comparison"),
        *[
            LAYOUT.table(name).with_suffix(suffix)
            for name in ("comparison", "ablations", "verdicts")
            for suffix in TABLES
        ],
        LAYOUT.table("comparison").with_suffix(".txt"),
        LAYOUT.table("person_boxes").with_suffix(".csv"),
        *figures_of(PLAN.evaluation.figures(), "figures"),
    log:
        LAYOUT.log("compare", "comparison"),
    conda:
        "../../environment.yml"
    resources:
        **SMALL,
    params:
        **STUDY_PARAMS,
        content=content_with_arrays(
            metrics=PLAN.evaluation.metrics(),
            external=PLAN.evaluation.external(),
            runs=PLAN.training.records(),
        ),
        table="comparison",
        code=code_of("reporting.study"),
        training_code=code_of(TRAINING.removeprefix("transpose.")),
    message:
        "Table {params.table}"
    shell:
        "python -m transpose step compare {params.table:q} --results {params.results:q} 2> {log:q}"


use rule compare as compare_protocols with:
    input:
        reports=PLAN.evaluation.reports(Analysis.PROTOCOLS),
    output:
        page(Analysis.PROTOCOLS, "Comparison"),
        multiext(str(LAYOUT.table(Analysis.PROTOCOLS)), *TABLES),
    log:
        LAYOUT.log("compare", Analysis.PROTOCOLS),
    params:
        **STUDY_PARAMS,
        content=content_of_reports(Analysis.PROTOCOLS),
        table=Analysis.PROTOCOLS,
        code=code_of("reporting.protocol_ablation"),


use rule compare as compare_resolutions with:
    input:
        metrics=PLAN.evaluation.metrics(),
        reports=PLAN.evaluation.reports(Analysis.RESOLUTIONS),
    output:
        page(Analysis.RESOLUTIONS, "Comparison"),
        multiext(str(LAYOUT.table(Analysis.RESOLUTIONS)), *TABLES),
        *figures_of(
            PLAN.evaluation.analysis_figures(Analysis.RESOLUTIONS), "resolutions"
        ),
    log:
        LAYOUT.log("compare", Analysis.RESOLUTIONS),
    params:
        **STUDY_PARAMS,
        content=content_of_reports(Analysis.RESOLUTIONS),
        table=Analysis.RESOLUTIONS,
        code=code_of("reporting.resolutions"),


use rule compare as compare_dtypes with:
    input:
        reports=PLAN.evaluation.reports(Analysis.DTYPES),
    output:
        page(Analysis.DTYPES, "Comparison"),
        multiext(str(LAYOUT.table(Analysis.DTYPES)), *TABLES),
    log:
        LAYOUT.log("compare", Analysis.DTYPES),
    params:
        **STUDY_PARAMS,
        content=content_of_reports(Analysis.DTYPES),
        table=Analysis.DTYPES,
        code=code_of("reporting.dtypes"),


use rule compare as compare_attention_statistics with:
    input:
        reports=PLAN.evaluation.reports(Analysis.ATTENTION_STATISTICS),
    output:
        page(Analysis.ATTENTION_STATISTICS, "Attention"),
        multiext(str(LAYOUT.table(Analysis.ATTENTION_STATISTICS)), *TABLES),
        *figures_of(
            PLAN.evaluation.analysis_figures(Analysis.ATTENTION_STATISTICS),
            "attention_statistics",
        ),
    log:
        LAYOUT.log("compare", Analysis.ATTENTION_STATISTICS),
    params:
        **STUDY_PARAMS,
        content=content_of_reports(Analysis.ATTENTION_STATISTICS),
        table=Analysis.ATTENTION_STATISTICS,
        code=code_of("reporting.attention_statistics"),


use rule compare as compare_faithfulness with:
    input:
        reports=PLAN.evaluation.reports(Analysis.FAITHFULNESS),
    output:
        page(Analysis.FAITHFULNESS, "Attention"),
        multiext(str(LAYOUT.table(Analysis.FAITHFULNESS)), *TABLES),
        *figures_of(
            PLAN.evaluation.analysis_figures(Analysis.FAITHFULNESS), "faithfulness"
        ),
    log:
        LAYOUT.log("compare", Analysis.FAITHFULNESS),
    params:
        **STUDY_PARAMS,
        content=content_of_reports(Analysis.FAITHFULNESS),
        table=Analysis.FAITHFULNESS,
        code=code_of("reporting.faithfulness"),


use rule compare as compare_attention_ablation with:
    input:
        reports=PLAN.evaluation.reports(Analysis.ATTENTION_ABLATION),
    output:
        page(Analysis.ATTENTION_ABLATION, "Attention"),
        multiext(str(LAYOUT.table(Analysis.ATTENTION_ABLATION)), *TABLES),
    log:
        LAYOUT.log("compare", Analysis.ATTENTION_ABLATION),
    params:
        **STUDY_PARAMS,
        content=content_of_reports(Analysis.ATTENTION_ABLATION),
        table=Analysis.ATTENTION_ABLATION,
        code=code_of("reporting.attention_ablation"),


use rule compare as compare_body_parts with:
    input:
        reports=PLAN.evaluation.reports(Analysis.BODY_PARTS),
    output:
        page(Analysis.BODY_PARTS, "Attention"),
        multiext(str(LAYOUT.table(Analysis.BODY_PARTS)), *TABLES),
    log:
        LAYOUT.log("compare", Analysis.BODY_PARTS),
    params:
        **STUDY_PARAMS,
        content=content_of_reports(Analysis.BODY_PARTS),
        table=Analysis.BODY_PARTS,
        code=code_of("reporting.body_parts"),


use rule compare as claims with:
    input:
        metrics=PLAN.evaluation.metrics(),
        reports=PLAN.evaluation.attention_reports(),
    output:
        page("claims", "Attention"),
        multiext(str(LAYOUT.table("claims")), ".csv", ".md"),
    log:
        LAYOUT.log("compare", "claims"),
    params:
        **STUDY_PARAMS,
        content=content_with_arrays(
            metrics=PLAN.evaluation.metrics(),
            reports=PLAN.evaluation.attention_reports(),
        ),
        table="claims",
        code=code_of("reporting.claim_table"),
