from transpose.config.download import load_archive

DOWNLOADS = "config/downloads.yaml"


# Code is no trigger for gigabytes whose digest is proven, nor for unpacking them.
# Archives are not part of `rule all`: resources/unpacked/val2017.manifest.json, for example, downloads and unpacks one.
# The archive itself stays undeclared: Snakemake would delete what is already there, a user's own file included. What
# is declared is the record of its proven digest; an edit of the archive's row in the table has it proven again.
rule download_archive:
    output:
        RESOURCES.archive_digest("{archive}"),
    log:
        LAYOUT.log("download_archive", "{archive}"),
    benchmark:
        LAYOUT.benchmark("download_archive", "{archive}")
    retries: 2
    localrule: True
    conda:
        "../../environment.yml"
    params:
        folder=RESOURCES.downloads,
        table=DOWNLOADS,
        archive=lambda wildcards: load_archive(
            wildcards.archive, Path(DOWNLOADS)
        ).model_dump_json(),
    message:
        "Download {wildcards.archive}"
    shell:
        "python -m transpose step download-archive {wildcards.archive:q} --folder {params.folder:q} --table {params.table:q} 2> {log:q}"


# The folder of images stays undeclared as well: its manifest, written last, stands for it.
rule unpack:
    input:
        rules.download_archive.output,
    output:
        RESOURCES.manifest("{archive}"),
    log:
        LAYOUT.log("unpack", "{archive}"),
    benchmark:
        LAYOUT.benchmark("unpack", "{archive}")
    retries: 2
    conda:
        "../../environment.yml"
    params:
        archive=subpath(input[0], strip_suffix=".sha256.json"),
        folder=subpath(output[0], strip_suffix=".manifest.json"),
    message:
        "Unpack {wildcards.archive}"
    shell:
        "python -m transpose step unpack {params.archive:q} --output {params.folder:q} 2> {log:q}"


# A split out of downloaded archives: the annotation file as the archive holds it, and where its images are. Code is no
# trigger: the file is a copy, and trainings of days read it.
rule extract_split:
    input:
        archives=PLAN.archives.needed_for,
    output:
        RESOURCES.annotations("{dataset}", "{split}"),
    log:
        LAYOUT.log("extract_split", "{dataset}", "{split}"),
    # A folder of the user's own must never be taken for this rule's output.
    wildcard_constraints:
        dataset=PLAN.archives.names_of_data_sets(),
    conda:
        "../../environment.yml"
    params:
        record=str(LAYOUT.record(RecordKind.DATASET, "{dataset}")),
        downloads=RESOURCES.downloads,
        unpacked=PLAN.archives.unpacked_option,
        source=lambda wildcards: PLAN.archives.split(wildcards).model_dump_json(),
    message:
        "Extract split {wildcards.split} of {wildcards.dataset}"
    shell:
        "python -m transpose step extract-split --dataset {params.record:q} --split {wildcards.split:q}"
        " --downloads {params.downloads:q} {params.unpacked:q} --output {output:q} 2> {log:q}"
