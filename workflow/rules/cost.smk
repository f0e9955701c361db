rule cost:
    input:
        recipe=f"{RESULTS}/records/recipes/{{variant}}.json",
        settings=f"{RESULTS}/records/costs/study.json",
    output:
        f"{RESULTS}/cost/{{variant}}.json",
    log:
        f"{RESULTS}/logs/cost/{{variant}}.log",
    conda:
        "../../environment.yml"
    # A clock needs the machine for itself: all that `--cores` allows is taken, whatever the measurement uses.
    threads: 64
    resources:
        gpu=GPUS,
    params:
        code=code_fingerprint("cost.py", "models"),
        keypoints=PLAN.data.keypoints(),
    message:
        "Measure what {wildcards.variant} costs"
    shell:
        "python -m transpose measure-cost --recipe {input.recipe:q} --settings {input.settings:q}"
        " --keypoints {params.keypoints:q} --output {output:q} > {log:q} 2>&1"
