# Predictions on a test set, in the form and under the name that COCO's evaluation server takes.
rule submit:
    input:
        dataset=f"{RESULTS}/records/datasets/{{dataset}}.json",
        annotations=PLAN.data.annotations,
        predictions=f"{RESULTS}/predictions/{{variant}}/seed{{seed}}/{{dataset}}/{{split}}/{{boxes}}.json",
    output:
        f"{RESULTS}/submissions/{{dataset}}/{{split}}/{{boxes}}/{{variant}}/seed{{seed}}/person_keypoints_{{test_set}}_{{variant}}_results.zip",
    log:
        f"{RESULTS}/logs/submit/{{dataset}}/{{split}}/{{boxes}}/{{variant}}/seed{{seed}}/{{test_set}}.log",
    wildcard_constraints:
        test_set="[a-z0-9-]+",
    conda:
        "../../environment.yml"
    params:
        code=code_fingerprint("evaluation/submission.py", "evaluation/results.py"),
    message:
        "Submission of {wildcards.variant}, seed {wildcards.seed}, to {wildcards.test_set}, {wildcards.boxes} boxes"
    shell:
        "python -m transpose submit --dataset {input.dataset:q} --annotations {input.annotations:q}"
        " --predictions {input.predictions:q} --output {output:q} 2> {log:q}"
