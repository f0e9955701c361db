rule cost:
    output:
        LAYOUT.cost("{variant}"),
    log:
        LAYOUT.log("cost", "{variant}"),
    conda:
        "../../environment.yml"
    # Timing needs the machine to itself, so the rule takes all cores that `--cores` allows.
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
        "Measure the cost of {wildcards.variant}"
    shell:
        "python -m transpose step measure-cost {wildcards.variant:q} --results {params.results:q}"
        " --keypoints {params.keypoints:q} > {log:q} 2>&1"


# Not part of `rule all`, since it measures the machine and the code, not the study.
rule growth:
    output:
        record=LAYOUT.root / "growth.json",
        figure=report(
            LAYOUT.figure("growth"),
            caption="../report/growth.rst",
            category="Cost",
            labels={"figure": "time and memory by number of persons"},
        ),
    log:
        LAYOUT.log("growth"),
    conda:
        "../../environment.yml"
    # Timing needs the machine to itself.
    threads: 64
    params:
        # Only the part `growth` of the benchmark.
        code=code_of("benchmark.growth_figure"),
    message:
        "Time and memory of loader and evaluator by number of persons"
    shell:
        "python -m transpose cost --part growth --output {output.record:q} --figure {output.figure:q} > {log:q} 2>&1"
