rule cost:
    output:
        LAYOUT.cost("{variant}"),
    log:
        LAYOUT.log("cost", "{variant}"),
    # Before trainings; later it would wait until none of them runs.
    priority: 3
    conda:
        "../../environment.yml"
    # Timing needs the machine to itself, so the rule takes all cores that `--cores` allows.
    threads: cores_up_to(64)
    resources:
        **SMALL,
        gpu=gpus,
    params:
        code=code_of("cost"),
        recipe=digest_of_recipe,
        settings=PLAN.digest(RecordKind.COST),
        results=LAYOUT.root,
        keypoints=PLAN.data.keypoints(),
    message:
        "Measure the cost of {wildcards.variant}"
    # In a new process: without the server of steps.
    shell:
        "env -u TRANSPOSE_STEP_SERVER python -m transpose step --gpus {resources.gpu:q} measure-cost {wildcards.variant:q} --results {params.results:q}"
        " --keypoints {params.keypoints:q} > {log:q} 2>&1"
