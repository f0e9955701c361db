# Dependency and affected areas of a few persons, as arrays and figures.
rule explain:
    input:
        annotations=PLAN.data.annotations,
        run=LAYOUT.train(RUN).record,
        weights=LAYOUT.train(RUN).weights,
    output:
        maps=LAYOUT.attention(RUN, "{dataset}", "{split}") / "maps.npz",
        persons=LAYOUT.attention(RUN, "{dataset}", "{split}") / "persons.json",
        figures=report(
            directory(LAYOUT.attention(RUN, "{dataset}", "{split}") / "figures"),
            patterns=["{person}_{area}.png"],
            caption="../report/attention.rst",
            category="Persons",
            subcategory="{dataset}",
            labels={
                "variant": "{variant}",
                "seed": "{seed}",
                "person": "{person}",
                "area": "{area}",
            },
        ),
    log:
        LAYOUT.log("explain", RUN, "{dataset}", "{split}"),
    conda:
        "../../environment.yml"
    threads: THREADS.attention_maps()
    resources:
        **REQUESTS.analysis,
        gpu=gpus,
    params:
        content=CONTENT.of(
            images=PLAN.data.annotations,
            annotations=PLAN.data.annotations,
            weights=LAYOUT.train(RUN).weights,
        ),
        code=code_of("reporting.attention_maps"),
        settings=PLAN.digest(RecordKind.ATTENTION_MAPS),
        protocol=PLAN.torch_protocol_digest(),
        dataset=PLAN.data.prediction_key,
        results=LAYOUT.root,
    message:
        "Attention maps of {wildcards.variant}, seed {wildcards.seed}, on {wildcards.dataset} {wildcards.split}"
    shell:
        "python -m transpose step --gpus {resources.gpu:q} explain {wildcards.variant:q}/seed{wildcards.seed:q} --results {params.results:q}"
        " --dataset {wildcards.dataset:q} --split {wildcards.split:q} --annotations {input.annotations:q} 2> {log:q}"


# One viewer page for all models. It is not in the report of Snakemake, whose frames stay empty for pages above 2 MB.
rule viewer:
    input:
        annotations=PLAN.data.annotations,
        runs=[LAYOUT.train(run).record for run in PLAN.evaluation.viewer_runs()],
        weights=[LAYOUT.train(run).weights for run in PLAN.evaluation.viewer_runs()],
    output:
        LAYOUT.viewer("{dataset}", "{split}"),
    log:
        LAYOUT.log("viewer", "{dataset}_{split}"),
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
            weights=lambda wildcards: [
                LAYOUT.train(run).weights for run in PLAN.evaluation.viewer_runs()
            ],
        ),
        code=code_of("reporting.viewer_models"),
        settings=PLAN.digest(RecordKind.ATTENTION_MAPS),
        protocol=PLAN.torch_protocol_digest(),
        dataset=digest_of_dataset,
        results=LAYOUT.root,
        runs=[str(run) for run in PLAN.evaluation.viewer_runs()],
    message:
        "Attention viewer on {wildcards.dataset} {wildcards.split}"
    shell:
        "python -m transpose step --gpus {resources.gpu:q} attention-viewer {params.runs:q} --results {params.results:q}"
        " --dataset {wildcards.dataset:q} --split {wildcards.split:q} --annotations {input.annotations:q} 2> {log:q}"
