ARCHIVE_RESOURCES = SMALL | {"disk_mb": archive_mb}


# Changed code does not trigger downloads or unpacking, since the digest of the archive is verified.
# Archives are not part of `rule all`: for example, the target resources/unpacked/val2017.manifest.json downloads and
# unpacks one. The output is the record of the verified digest, not the archive: Snakemake would delete an existing
# archive, also one that a user has put there. A change of the archive's row in the table verifies it again.
rule download_archive:
    output:
        RESOURCES.archive_digest("{archive}"),
    log:
        LAYOUT.log("download_archive", "{archive}"),
    retries: 2
    localrule: True
    conda:
        "../../environment.yml"
    resources:
        **ARCHIVE_RESOURCES,
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


# The output is the manifest, which is written last, not the folder of images.
rule unpack:
    input:
        rules.download_archive.output,
    output:
        RESOURCES.manifest("{archive}"),
    log:
        LAYOUT.log("unpack", "{archive}"),
    retries: 2
    conda:
        "../../environment.yml"
    resources:
        **ARCHIVE_RESOURCES,
    params:
        archive=subpath(input[0], strip_suffix=".sha256.json"),
        folder=subpath(output[0], strip_suffix=".manifest.json"),
    message:
        "Unpack {wildcards.archive}"
    shell:
        "python -m transpose step unpack {params.archive:q} --output {params.folder:q} 2> {log:q}"


# Annotation file of a split, copied from downloaded archives, and the location of its images. Changed code is not a
# trigger, since the file is a copy and a new one would trigger trainings of days.
rule extract_split:
    input:
        archives=PLAN.archives.needed_for,
    output:
        RESOURCES.annotations("{dataset}", "{split}"),
    log:
        LAYOUT.log("extract_split", "{dataset}", "{split}"),
    # A user's own folder must not match this rule's output.
    wildcard_constraints:
        dataset=PLAN.archives.names_of_data_sets(),
    conda:
        "../../environment.yml"
    resources:
        **RENDERING,
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
