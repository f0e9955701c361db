from transpose.config.weights import load_released

# Others' checkpoints: backbones that trainings start from, and released variants.
WEIGHTS = "config/weights.yaml"


# The checkpoint itself and the record of its digest stay undeclared: Snakemake would delete what a user put there.
rule fetch_weights:
    output:
        f"{RESOURCES}/weights/{{weights}}.safetensors",
    log:
        f"{RESULTS}/logs/weights/{{weights}}.log",
    wildcard_constraints:
        weights="[a-z0-9_]+",
    retries: 2
    localrule: True
    conda:
        "../../environment.yml"
    params:
        table=WEIGHTS,
        released=lambda wildcards: load_released(
            wildcards.weights, Path(WEIGHTS)
        ).model_dump_json(),
    message:
        "Fetch weights {wildcards.weights}"
    shell:
        "python -m transpose fetch-weights {wildcards.weights:q} --table {params.table:q} --output {output:q} 2> {log:q}"


# In the place of a training: the released checkpoint as the weights of a run, and a record that says so.
rule adopt:
    input:
        recipe=f"{RESULTS}/records/recipes/{{variant}}.json",
        weights=lambda wildcards: PLAN.training.released_weights(wildcards.variant),
    output:
        weights=f"{RESULTS}/train/{{variant}}/seed0/weights.safetensors",
        run=f"{RESULTS}/train/{{variant}}/seed0/run.json",
    log:
        f"{RESULTS}/logs/adopt/{{variant}}.log",
    wildcard_constraints:
        variant=PLAN.training.names_of_official(),
    conda:
        "../../environment.yml"
    params:
        keypoints=PLAN.data.keypoints(),
    message:
        "Take the released checkpoint of {wildcards.variant}"
    shell:
        "python -m transpose adopt --recipe {input.recipe:q} --weights {input.weights:q} --keypoints {params.keypoints:q}"
        " --output {output.run:q} 2> {log:q}"
