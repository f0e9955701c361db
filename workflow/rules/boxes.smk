import re

from transpose.config.download import load_file
from transpose.study.rules import alternatives

LISTED_BOXES = PLAN.boxes.listed_files()


# Detection files that are listed in the table of downloads. As with archives, the output is the record of the verified
# digest, since Snakemake would delete a file that a user has put there.
rule download_listed_boxes:
    output:
        "{path}.sha256.json",
    log:
        LAYOUT.log("download_listed_boxes", "{path}"),
    wildcard_constraints:
        path=alternatives(map(re.escape, LISTED_BOXES)),
    retries: 2
    localrule: True
    conda:
        "../../environment.yml"
    resources:
        **SMALL,
    params:
        name=lambda wildcards: LISTED_BOXES[wildcards.path],
        table=DOWNLOADS,
        file=lambda wildcards: load_file(
            LISTED_BOXES[wildcards.path], Path(DOWNLOADS)
        ).model_dump_json(),
    message:
        "Download {wildcards.path}"
    shell:
        "python -m transpose step download-listed-file {params.name:q} --output {wildcards.path:q}"
        " --table {params.table:q} 2> {log:q}"


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
    resources:
        **SMALL,
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
        file=lambda wildcards: given(
            PLAN.boxes.file(wildcards, must_exist=not workflow.dryrun)
        ),
    output:
        boxes=LAYOUT.boxes(SETTING),
        counts=LAYOUT.box_counts(SETTING),
    log:
        LAYOUT.log("boxes", SETTING),
    conda:
        "../../environment.yml"
    threads: PLAN.boxes.threads
    resources:
        **RENDERING,
    params:
        content=CONTENT.of(
            images=images_of_detector,
            annotations=PLAN.data.annotations,
            file=lambda wildcards: PLAN.boxes.file(wildcards, must_exist=False),
        ),
        code=code_of("data.box_sources"),
        dataset=PLAN.data.boxes_key,
        results=LAYOUT.root,
        file=PLAN.boxes.file_option,
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
    resources:
        **SMALL,
    params:
        content=CONTENT.of(
            annotations=PLAN.data.annotations, boxes=LAYOUT.boxes(SETTING)
        ),
        code=code_of("evaluation.box_ap"),
        dataset=PLAN.data.boxes_key,
        results=LAYOUT.root,
    message:
        "AP of the person boxes {wildcards.boxes} of {wildcards.dataset} {wildcards.split}"
    shell:
        "python -m transpose step evaluate-boxes --results {params.results:q}"
        " --evaluation {wildcards.dataset:q}/{wildcards.split:q}/{wildcards.boxes:q}"
        " --annotations {input.annotations:q} 2> {log:q}"
