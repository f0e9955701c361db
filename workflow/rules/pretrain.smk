# Backbones for other variants to start from (config/pretrain.yaml); not part of `rule all`.
rule export_backbone:
    input:
        recipe=f"{RESULTS}/records/recipes/{{variant}}.json",
        weights=f"{RESULTS}/train/{{variant}}/seed0/weights.safetensors",
    output:
        f"{RESULTS}/backbones/{{variant}}.safetensors",
    log:
        f"{RESULTS}/logs/backbones/{{variant}}.log",
    conda:
        "../../environment.yml"
    params:
        description=f"pretrained on {PLAN.data.training_data()}",
    message:
        "Take the backbone out of {wildcards.variant}"
    shell:
        "python -m transpose export-backbone --recipe {input.recipe:q} --weights {input.weights:q}"
        " --description {params.description:q} --output {output:q} 2> {log:q}"
