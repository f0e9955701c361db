rule cost:
    output:
        LAYOUT.cost("{variant}"),
    log:
        LAYOUT.log("cost", "{variant}"),
    conda:
        "../../environment.yml"
    # A clock needs the machine for itself: all that `--cores` allows is taken, whatever the measurement uses.
    threads: 64
    resources:
        gpu=GPUS,
    params:
        code=code_of("cost"),
        recipe=digest_of_recipe,
        settings=PLAN.digest(RecordKind.COST),
        results=LAYOUT.root,
        keypoints=PLAN.data.keypoints(),
    message:
        "Measure what {wildcards.variant} costs"
    shell:
        "python -m transpose step measure-cost {wildcards.variant:q} --results {params.results:q}"
        " --keypoints {params.keypoints:q} > {log:q} 2>&1"


# No part of `all`: it is about the machine and the code, not about the study.
rule growth:
    output:
        record=LAYOUT.root / "growth.json",
        figure=report(
            LAYOUT.figure("growth"),
            caption="../report/growth.rst",
            category="Cost",
            labels={"figure": "time and memory as persons grow"},
        ),
    log:
        LAYOUT.log("growth"),
    conda:
        "../../environment.yml"
    # A clock needs the machine for itself.
    threads: 64
    params:
        # Of the benchmark, the part `growth` alone.
        code=code_of("benchmark.growth_figure"),
    message:
        "Time and memory of loader and evaluator as persons grow"
    shell:
        "python -m transpose cost --part growth --output {output.record:q} --figure {output.figure:q} > {log:q} 2>&1"
