rule synthesise:
    output:
        RESOURCES.annotations("{dataset}", "{split}"),
    log:
        LAYOUT.log("synthesise", "{dataset}", "{split}"),
    # A user's own folder must not match this rule's output.
    wildcard_constraints:
        dataset=PLAN.data.names_of_rendered(),
    # First, since trainings wait for the images.
    priority: 4
    conda:
        "../../environment.yml"
    # All cores that `--cores` allows; the images do not depend on their number.
    threads: cores_up_to(64)
    resources:
        **RENDERING,
    params:
        code=code_of("synthetic.dataset"),
        record=str(LAYOUT.record(RecordKind.DATASET, "{dataset}")),
        source=PLAN.data.source_key,
    message:
        "Render split {wildcards.split} of {wildcards.dataset}"
    shell:
        "python -m transpose step synthesise --dataset {params.record:q} --split {wildcards.split:q}"
        " --jobs {threads} --output {output:q} 2> {log:q}"


rule label_parts:
    input:
        annotations=PLAN.data.annotations,
    output:
        RESOURCES.part_labels("{dataset}", "{split}"),
    log:
        LAYOUT.log("label_parts", "{dataset}", "{split}"),
    wildcard_constraints:
        dataset=PLAN.data.names_of_rendered(),
    conda:
        "../../environment.yml"
    # Not all cores, since it would wait until no other job runs; the labels do not depend on their number.
    threads: cores_up_to(64, share=0.5)
    resources:
        **RENDERING,
    params:
        content=CONTENT.of(annotations=PLAN.data.annotations),
        code=code_of("synthetic.part_labels"),
        record=str(LAYOUT.record(RecordKind.DATASET, "{dataset}")),
        source=PLAN.data.source_key,
    message:
        "Label the body parts in split {wildcards.split} of {wildcards.dataset}"
    shell:
        "python -m transpose step label-parts --dataset {params.record:q} --split {wildcards.split:q}"
        " --annotations {input.annotations:q} --jobs {threads} --output {output:q} 2> {log:q}"


# A user's own split as plain COCO, checked before anything trains on it. Changed code is not a trigger, since trainings
# read the annotations.
rule import_split:
    input:
        annotations=lambda wildcards: given([PLAN.data.folder_annotations(wildcards)]),
    output:
        annotations=RESOURCES.imported("{dataset}", "{split}"),
    log:
        LAYOUT.log("import_split", "{dataset}", "{split}"),
    wildcard_constraints:
        dataset=PLAN.data.names_of_folders(),
    conda:
        "../../environment.yml"
    threads: cores_up_to(8)
    resources:
        **RENDERING,
    params:
        content=CONTENT.of(annotations=PLAN.data.folder_annotations),
        record=str(LAYOUT.record(RecordKind.DATASET, "{dataset}")),
        source=PLAN.data.import_key,
    message:
        "Import and check split {wildcards.split} of {wildcards.dataset}"
    shell:
        "python -m transpose step import-split --dataset {params.record:q} --split {wildcards.split:q}"
        " --jobs {threads} --output {output.annotations:q} 2> {log:q}"


# The check of a split that is not in a user's folder, for the tables. Only annotations are read, so that it takes seconds.
rule check_split:
    input:
        annotations=PLAN.data.annotations,
    output:
        RESOURCES.check("{dataset}", "{split}"),
    log:
        LAYOUT.log("check_split", "{dataset}", "{split}"),
    wildcard_constraints:
        dataset=PLAN.checks.names_of_others(),
    conda:
        "../../environment.yml"
    resources:
        **SMALL,
    params:
        code=code_of("data.split_check"),
        record=str(LAYOUT.record(RecordKind.DATASET, "{dataset}")),
        skeleton=PLAN.data.skeleton_key,
    message:
        "Check split {wildcards.split} of {wildcards.dataset}"
    shell:
        "python -m transpose step check-split --dataset {params.record:q} --annotations {input.annotations:q}"
        " --output {output:q} 2> {log:q}"
