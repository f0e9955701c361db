rule synthesise:
    input:
        dataset=f"{RESULTS}/records/datasets/{{dataset}}.json",
    output:
        f"{PLAN.study.resources}/{{dataset}}/{{split}}/annotations.json",
    log:
        f"{RESULTS}/logs/synthesise/{{dataset}}/{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/synthesise/{{dataset}}/{{split}}.tsv"
    # A folder of the user's own must never be taken for this rule's output.
    wildcard_constraints:
        dataset=PLAN.data.names_of_rendered(),
    conda:
        "../../environment.yml"
    # As many as `--cores` allows; the pictures do not depend on it.
    threads: 64
    params:
        code=code_fingerprint("data/synthetic"),
    message:
        "Render split {wildcards.split} of {wildcards.dataset}"
    shell:
        "python -m transpose synthesise --dataset {input.dataset:q} --split {wildcards.split:q}"
        " --jobs {threads} --output {output:q} 2> {log:q}"
