# Detection files and models given by URL, stored by URL so that studies share them. The file with the digest of the
# first download is not an output, since Snakemake would delete it. Changed code does not trigger downloads.
rule download_box_file:
    output:
        RESOURCES.downloaded_files / "{address}" / "{file}",
    log:
        LAYOUT.log("download_box_file", "{address}", "{file}"),
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
        "Download {params.url}"
    shell:
        "python -m transpose step download-file {params.url:q} {params.sha256:q} --output {output:q} 2> {log:q}"


rule boxes:
    input:
        annotations=PLAN.data.annotations,
        # A dry run also works if a file of the user is still missing.
        file=lambda wildcards: PLAN.boxes.file(
            wildcards, must_exist=not workflow.dryrun
        ),
    output:
        boxes=LAYOUT.boxes(SETTING),
        counts=LAYOUT.box_counts(SETTING),
    log:
        LAYOUT.log("boxes", SETTING),
    conda:
        "../../environment.yml"
    threads: PLAN.boxes.threads
    params:
        code=code_of("data.box_sources"),
        dataset=PLAN.data.boxes_key,
        results=LAYOUT.root,
        file=lambda wildcards, input: [f"--file={path}" for path in input.file],
    message:
        "Person boxes {wildcards.boxes} of {wildcards.dataset} {wildcards.split}"
    shell:
        "python -m transpose step boxes --results {params.results:q}"
        " --evaluation {wildcards.dataset:q}/{wildcards.split:q}/{wildcards.boxes:q}"
        " --annotations {input.annotations:q} {params.file:q} 2> {log:q}"


# COCO AP of the boxes, published as "person AP" of a detection file.
rule evaluate_boxes:
    input:
        annotations=PLAN.data.annotations,
        boxes=rules.boxes.output.boxes,
    output:
        LAYOUT.box_metrics(SETTING),
    log:
        LAYOUT.log("evaluate_boxes", SETTING),
    conda:
        "../../environment.yml"
    params:
        code=code_of("evaluation.box_ap"),
        dataset=PLAN.data.boxes_key,
        results=LAYOUT.root,
    message:
        "AP of the person boxes {wildcards.boxes} of {wildcards.dataset} {wildcards.split}"
    shell:
        "python -m transpose step evaluate-boxes --results {params.results:q}"
        " --evaluation {wildcards.dataset:q}/{wildcards.split:q}/{wildcards.boxes:q}"
        " --annotations {input.annotations:q} 2> {log:q}"
