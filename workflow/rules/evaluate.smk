rule predict:
    input:
        annotations=PLAN.data.annotations,
        run=LAYOUT.train(RUN).record,
        weights=LAYOUT.train(RUN).weights,
        boxes=LAYOUT.boxes(SETTING),
    output:
        predictions=LAYOUT.predictions(RUN, SETTING),
        record=LAYOUT.prediction_record(RUN, SETTING),
    log:
        LAYOUT.log("predict", RUN, SETTING),
    conda:
        "../../environment.yml"
    threads: THREADS.prediction()
    resources:
        **REQUESTS.prediction,
        gpu=gpus,
        workers=workers_of_variant,
    params:
        content=CONTENT.of(
            images=PLAN.data.annotations,
            annotations=PLAN.data.annotations,
            weights=LAYOUT.train(RUN).weights,
            boxes=LAYOUT.boxes(SETTING),
        ),
        code=code_of("evaluation.prediction_file"),
        protocol=PLAN.digest(RecordKind.PROTOCOL),
        dataset=PLAN.data.prediction_key,
        results=LAYOUT.root,
    message:
        "Predict {wildcards.dataset} {wildcards.split} on {wildcards.boxes} boxes with {wildcards.variant}, seed {wildcards.seed}"
    shell:
        "python -m transpose step --gpus {resources.gpu:q} predict {wildcards.variant:q}/seed{wildcards.seed:q} --results {params.results:q}"
        " --evaluation {wildcards.dataset:q}/{wildcards.split:q}/{wildcards.boxes:q}"
        " --annotations {input.annotations:q} --workers {resources.workers:q} 2> {log:q}"


rule evaluate:
    input:
        annotations=PLAN.data.annotations,
        run=LAYOUT.train(RUN).record,
        weights=LAYOUT.train(RUN).weights,
        boxes=LAYOUT.boxes(SETTING),
        predictions=rules.predict.output.predictions,
        record=rules.predict.output.record,
    output:
        metrics=LAYOUT.metrics(RUN, SETTING),
        matches=LAYOUT.metrics(RUN, SETTING).with_suffix(".npz"),
    log:
        LAYOUT.log("evaluate", RUN, SETTING),
    conda:
        "../../environment.yml"
    resources:
        **SMALL,
    params:
        content=CONTENT.of(
            annotations=PLAN.data.annotations,
            boxes=LAYOUT.boxes(SETTING),
            weights=LAYOUT.train(RUN).weights,
            predictions=LAYOUT.predictions(RUN, SETTING),
            record=LAYOUT.prediction_record(RUN, SETTING),
        ),
        code=code_of("evaluation.report"),
        protocol=PLAN.digest(RecordKind.PROTOCOL),
        bootstrap=PLAN.digest(RecordKind.BOOTSTRAP),
        dataset=PLAN.data.boxes_key,
        results=LAYOUT.root,
    message:
        "Evaluate {wildcards.variant}, seed {wildcards.seed}, on {wildcards.dataset} {wildcards.split}, {wildcards.boxes} boxes"
    shell:
        "python -m transpose step evaluate {wildcards.variant:q}/seed{wildcards.seed:q} --results {params.results:q}"
        " --evaluation {wildcards.dataset:q}/{wildcards.split:q}/{wildcards.boxes:q}"
        " --annotations {input.annotations:q} 2> {log:q}"


# Results of another tool, for a row of the comparison.
rule evaluate_external:
    input:
        annotations=external_annotations,
        results=lambda wildcards: given([external_results(wildcards)]),
        boxes=external_boxes,
    output:
        metrics=LAYOUT.external("{external}"),
        matches=LAYOUT.external("{external}").with_suffix(".npz"),
    log:
        LAYOUT.log("evaluate_external", "{external}"),
    wildcard_constraints:
        external="[a-z0-9_]+",
    conda:
        "../../environment.yml"
    params:
        content=CONTENT.of(
            annotations=external_annotations,
            results=external_results,
            boxes=external_boxes,
        ),
        code=code_of("evaluation.external_row"),
        settings=lambda wildcards: PLAN.digest(RecordKind.EXTERNAL, wildcards.external),
        dataset=lambda wildcards: PLAN.digest(
            RecordKind.DATASET, PLAN.study.external_of(wildcards.external).dataset
        ),
        bootstrap=PLAN.digest(RecordKind.BOOTSTRAP),
        root=LAYOUT.root,
    message:
        "Evaluate external results {wildcards.external}"
    shell:
        "python -m transpose step evaluate-external {wildcards.external:q} --results {params.root:q}"
        " --annotations {input.annotations:q} 2> {log:q}"


# Types of errors and calibration of all models, and their worst and best predictions as one page.
rule error_browser:
    input:
        annotations=PLAN.data.annotations,
        predictions=browsed_predictions,
        runs=[LAYOUT.train(run).record for run in PLAN.evaluation.browsed_runs()],
        weights=[LAYOUT.train(run).weights for run in PLAN.evaluation.browsed_runs()],
        boxes=browsed_boxes,
    output:
        # Not in the report of Snakemake, whose frames stay empty for pages above 2 MB.
        page=LAYOUT.error_browser("{dataset}", "{split}"),
        images=directory(LAYOUT.error_images("{dataset}", "{split}")),
        errors=LAYOUT.model_errors("{dataset}", "{split}"),
        figures=figures_of(
            [LAYOUT.figure("reliability", "{dataset}", "{split}")], "figures"
        ),
    log:
        LAYOUT.log("error_browser", "{dataset}_{split}"),
    wildcard_constraints:
        dataset="|".join(PLAN.datasets),
    conda:
        "../../environment.yml"
    threads: THREADS.page()
    resources:
        **SMALL,
        gpu=gpus,
    params:
        content=CONTENT.of(
            images=PLAN.data.annotations,
            annotations=PLAN.data.annotations,
            predictions=browsed_predictions,
            boxes=browsed_boxes,
            weights=lambda wildcards: [
                LAYOUT.train(run).weights for run in PLAN.evaluation.browsed_runs()
            ],
        ),
        code=code_of("reporting.study_errors"),
        protocol=PLAN.torch_protocol_digest(),
        bootstrap=PLAN.digest(RecordKind.BOOTSTRAP),
        dataset=digest_of_dataset,
        setting=lambda wildcards: str(browsed_setting(wildcards)),
        results=LAYOUT.root,
        runs=[str(run) for run in PLAN.evaluation.browsed_runs()],
    message:
        "Error browser on {wildcards.dataset} {wildcards.split}"
    shell:
        "python -m transpose step --gpus {resources.gpu:q} error-browser {params.runs:q} --results {params.results:q}"
        " --evaluation {params.setting:q} --annotations {input.annotations:q} 2> {log:q}"


# Predictions on a test set, in the format and with the name required by COCO's evaluation server.
rule make_submission:
    input:
        annotations=PLAN.data.annotations,
        predictions=LAYOUT.predictions(RUN, SETTING),
    output:
        LAYOUT.submission(RUN, SETTING, "{test_set}"),
    log:
        LAYOUT.log("make_submission", SETTING, RUN, "{test_set}"),
    wildcard_constraints:
        test_set="[a-z0-9-]+",
    conda:
        "../../environment.yml"
    resources:
        **SMALL,
    params:
        content=CONTENT.of(predictions=LAYOUT.predictions(RUN, SETTING)),
        record=str(LAYOUT.record(RecordKind.DATASET, "{dataset}")),
        code=code_of("evaluation.submission"),
        dataset=PLAN.data.prediction_key,
    message:
        "Submission of {wildcards.variant}, seed {wildcards.seed}, to {wildcards.test_set}, {wildcards.boxes} boxes"
    shell:
        "python -m transpose step make-submission --dataset {params.record:q} --annotations {input.annotations:q}"
        " --predictions {input.predictions:q} --output {output:q} 2> {log:q}"
