# Detection files and models that configuration names by URL: kept by the URL, so that studies share them. The digest
# remembered beside one stays undeclared: Snakemake would delete it, and with it the memory of what came first.
rule fetch_box_file:
    output:
        f"{RESOURCES}/fetched/{{address}}/{{file}}",
    log:
        f"{RESULTS}/logs/fetch/{{address}}/{{file}}.log",
    wildcard_constraints:
        address="[0-9a-f]{12}",
        file="[A-Za-z0-9_-][A-Za-z0-9._-]*(?<!\\.sha256\\.json)",
    retries: 2
    localrule: True
    conda:
        "../../environment.yml"
    params:
        url=lambda wildcards, output: PLAN.boxes.remote_file(output[0]).address,
        sha256=lambda wildcards, output: PLAN.boxes.remote_file(output[0]).sha256_option,
    message:
        "Fetch {params.url}"
    shell:
        "python -m transpose fetch {params.url:q} {params.sha256:q} --output {output:q} 2> {log:q}"


rule boxes:
    input:
        dataset=f"{RESULTS}/records/datasets/{{dataset}}.json",
        annotations=PLAN.data.annotations,
        # A dry run shows the whole plan, whatever is still to be put in place.
        file=lambda wildcards: PLAN.boxes.file(
            wildcards, must_exist=not workflow.dryrun
        ),
    output:
        boxes=f"{RESULTS}/boxes/{{dataset}}/{{split}}/{{boxes}}.json",
        counts=f"{RESULTS}/boxes/{{dataset}}/{{split}}/{{boxes}}.counts.json",
    log:
        f"{RESULTS}/logs/boxes/{{dataset}}/{{split}}/{{boxes}}.log",
    conda:
        "../../environment.yml"
    threads: PLAN.boxes.threads
    params:
        code=code_fingerprint(
            "data/box_counts.py",
            "data/box_sources.py",
            "data/boxes.py",
            "data/coco.py",
            "data/detector",
            "data/images.py",
            "data/simulated_detector.py",
        ),
        file=lambda wildcards, input: [f"--file={path}" for path in input.file],
    message:
        "Person boxes {wildcards.boxes} of {wildcards.dataset} {wildcards.split}"
    shell:
        "python -m transpose boxes --dataset {input.dataset:q} --split {wildcards.split:q} --source {wildcards.boxes:q}"
        " --annotations {input.annotations:q} {params.file:q} --output {output.boxes:q} 2> {log:q}"


# What is published as a detection file's "person AP".
rule evaluate_boxes:
    input:
        dataset=f"{RESULTS}/records/datasets/{{dataset}}.json",
        annotations=PLAN.data.annotations,
        boxes=rules.boxes.output.boxes,
    output:
        f"{RESULTS}/box_ap/{{dataset}}/{{split}}/{{boxes}}.json",
    log:
        f"{RESULTS}/logs/evaluate_boxes/{{dataset}}/{{split}}/{{boxes}}.log",
    conda:
        "../../environment.yml"
    params:
        code=code_fingerprint("data/boxes.py", "data/coco.py", "evaluation/box_ap.py"),
    message:
        "AP of the person boxes {wildcards.boxes} of {wildcards.dataset} {wildcards.split}"
    shell:
        "python -m transpose evaluate-boxes --dataset {input.dataset:q} --annotations {input.annotations:q}"
        " --boxes {input.boxes:q} --output {output:q} 2> {log:q}"
