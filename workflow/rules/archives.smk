# A split out of downloaded archives: the annotation file as the archive holds it, and beside it where the pictures are.
rule arrange:
    input:
        # Of the data set only the params below decide the split; a new date of the annotations would retrain.
        dataset=ancient(f"{RESULTS}/records/datasets/{{dataset}}.json"),
        archives=PLAN.archives.needed_for,
    output:
        f"{RESOURCES}/{{dataset}}/{{split}}/annotations.json",
    log:
        f"{RESULTS}/logs/arrange/{{dataset}}/{{split}}.log",
    # A folder of the user's own must never be taken for this rule's output.
    wildcard_constraints:
        dataset=PLAN.archives.names_of_data_sets(),
    conda:
        "../../environment.yml"
    params:
        downloads=f"{RESOURCES}/downloads",
        unpacked=PLAN.archives.unpacked_option,
        source=lambda wildcards: PLAN.archives.split(wildcards).model_dump_json(),
    message:
        "Arrange split {wildcards.split} of {wildcards.dataset}"
    shell:
        "python -m transpose arrange --dataset {input.dataset:q} --split {wildcards.split:q}"
        " --downloads {params.downloads:q} {params.unpacked:q} --output {output:q} 2> {log:q}"
