# Analyses of trained models. The rules differ only in settings, outputs and code.
ANALYSIS_INPUT = dict(
    annotations=PLAN.data.annotations,
    run=LAYOUT.train(RUN).record,
    weights=LAYOUT.train(RUN).weights,
    boxes=LAYOUT.boxes(SETTING),
)
ANALYSIS_CONTENT = dict(
    images=PLAN.data.annotations,
    annotations=PLAN.data.annotations,
    weights=LAYOUT.train(RUN).weights,
    boxes=LAYOUT.boxes(SETTING),
)
ANALYSIS_PARAMS = dict(
    content=CONTENT.of(**ANALYSIS_CONTENT),
    protocol=PLAN.torch_protocol_digest(),
    bootstrap=PLAN.digest(RecordKind.BOOTSTRAP),
    dataset=PLAN.data.boxes_key,
    results=LAYOUT.root,
    options=[],
)
# Analyses whose network runs in the protocol's runtime; all others run parts of it, in PyTorch.
IN_RUNTIME = ANALYSIS_PARAMS | dict(protocol=PLAN.digest(RecordKind.PROTOCOL))


# All combinations of flip test, decoder, suppression and score.
rule protocol_ablation:
    input:
        **ANALYSIS_INPUT,
    output:
        LAYOUT.analysis(Analysis.PROTOCOLS, RUN, SETTING),
    log:
        LAYOUT.log(Analysis.PROTOCOLS, RUN, SETTING),
    conda:
        "../../environment.yml"
    threads: THREADS.analysis(Analysis.PROTOCOLS)
    resources:
        **REQUESTS.analysis,
        gpu=gpus,
        workers=workers_of_variant,
    params:
        **IN_RUNTIME,
        analysis=Analysis.PROTOCOLS,
        code=code_of("evaluation.protocol_ablation"),
    message:
        "Analysis {params.analysis} of {wildcards.variant}, seed {wildcards.seed}, on {wildcards.dataset} {wildcards.split}, {wildcards.boxes} boxes"
    shell:
        "python -m transpose step --gpus {resources.gpu:q} analyse {params.analysis:q} {wildcards.variant:q}/seed{wildcards.seed:q}"
        " --results {params.results:q} --evaluation {wildcards.dataset:q}/{wildcards.split:q}/{wildcards.boxes:q}"
        " --annotations {input.annotations:q} --workers {resources.workers:q} {params.options:q} 2> {log:q}"


# Other input sizes than the training size.
use rule protocol_ablation as resolutions with:
    output:
        directory(LAYOUT.resolutions(RUN, SETTING)),
    log:
        LAYOUT.log(Analysis.RESOLUTIONS, RUN, SETTING),
    threads: THREADS.analysis(Analysis.RESOLUTIONS)
    params:
        **IN_RUNTIME,
        analysis=Analysis.RESOLUTIONS,
        settings=analysis_settings(RecordKind.RESOLUTIONS),
        code=code_of("evaluation.resolutions"),


# Lower-precision dtypes, compared with fp32.
use rule protocol_ablation as dtypes with:
    output:
        LAYOUT.analysis(Analysis.DTYPES, RUN, SETTING),
        LAYOUT.analysis(Analysis.DTYPES, RUN, SETTING).with_suffix(".npz"),
    log:
        LAYOUT.log(Analysis.DTYPES, RUN, SETTING),
    threads: THREADS.analysis(Analysis.DTYPES)
    params:
        **ANALYSIS_PARAMS,
        analysis=Analysis.DTYPES,
        settings=analysis_settings(RecordKind.DTYPES),
        code=code_of("evaluation.dtypes"),


# Statistics of the attention of keypoints.
use rule protocol_ablation as attention_statistics with:
    output:
        LAYOUT.analysis(Analysis.ATTENTION_STATISTICS, RUN, SETTING),
        LAYOUT.analysis(Analysis.ATTENTION_STATISTICS, RUN, SETTING).with_suffix(".npz"),
    log:
        LAYOUT.log(Analysis.ATTENTION_STATISTICS, RUN, SETTING),
    threads: THREADS.analysis(Analysis.ATTENTION_STATISTICS)
    params:
        **ANALYSIS_PARAMS,
        analysis=Analysis.ATTENTION_STATISTICS,
        settings=analysis_settings(RecordKind.ATTENTION_ANALYSIS),
        code=code_of("attention.statistics_report"),


# Whether a keypoint depends on the cells that it attends to.
use rule protocol_ablation as faithfulness with:
    output:
        LAYOUT.analysis(Analysis.FAITHFULNESS, RUN, SETTING),
        LAYOUT.analysis(Analysis.FAITHFULNESS, RUN, SETTING).with_suffix(".npz"),
    log:
        LAYOUT.log(Analysis.FAITHFULNESS, RUN, SETTING),
    # Long: after trainings, and before shorter jobs, which fill the cores at the end.
    priority: 1
    threads: THREADS.analysis(Analysis.FAITHFULNESS)
    params:
        **ANALYSIS_PARAMS,
        analysis=Analysis.FAITHFULNESS,
        settings=analysis_settings(RecordKind.ATTENTION_ANALYSIS),
        code=code_of("attention.faithfulness_report"),


# AP with heads or layers off, attention replaced, or positions changed.
use rule protocol_ablation as attention_ablation with:
    output:
        LAYOUT.analysis(Analysis.ATTENTION_ABLATION, RUN, SETTING),
        LAYOUT.analysis(Analysis.ATTENTION_ABLATION, RUN, SETTING).with_suffix(".npz"),
    log:
        LAYOUT.log(Analysis.ATTENTION_ABLATION, RUN, SETTING),
    # Long: after trainings, and before shorter jobs, which fill the cores at the end.
    priority: 1
    threads: THREADS.analysis(Analysis.ATTENTION_ABLATION)
    params:
        **ANALYSIS_PARAMS,
        analysis=Analysis.ATTENTION_ABLATION,
        settings=analysis_settings(RecordKind.ATTENTION_ANALYSIS),
        code=code_of("attention.ablation_report"),


# How occluded and visible keypoints depend on their mirror partners and neighbours.
use rule protocol_ablation as body_parts with:
    input:
        **ANALYSIS_INPUT,
        parts=PLAN.data.part_labels,
    output:
        LAYOUT.analysis(Analysis.BODY_PARTS, RUN, SETTING),
        LAYOUT.analysis(Analysis.BODY_PARTS, RUN, SETTING).with_suffix(".npz"),
    log:
        LAYOUT.log(Analysis.BODY_PARTS, RUN, SETTING),
    threads: THREADS.analysis(Analysis.BODY_PARTS)
    params:
        **(
            ANALYSIS_PARAMS
            | dict(
                options=part_labels_option,
                content=CONTENT.of(**ANALYSIS_CONTENT, parts=PLAN.data.part_labels),
            )
        ),
        analysis=Analysis.BODY_PARTS,
        settings=analysis_settings(RecordKind.ATTENTION_ANALYSIS),
        code=code_of("attention.body_part_report"),
