from transpose.config.download import load_archive

DOWNLOADS = "config/downloads.yaml"
RESOURCES = PLAN.study.resources


# Archives are not part of `rule all`: resources/unpacked/val2017.manifest.json, for example, fetches and unpacks one.
# The archive itself stays undeclared: Snakemake would delete what is already there, a user's own file included. What
# is declared is the record of its proven digest; an edit of the archive's row in the table has it proven again.
rule download:
    output:
        f"{RESOURCES}/downloads/{{archive}}.zip.sha256.json",
    log:
        f"{RESULTS}/logs/download/{{archive}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/download/{{archive}}.tsv"
    retries: 2
    localrule: True
    conda:
        "../../environment.yml"
    params:
        folder=subpath(output[0], parent=True),
        table=DOWNLOADS,
        archive=lambda wildcards: load_archive(
            wildcards.archive, Path(DOWNLOADS)
        ).model_dump_json(),
    message:
        "Download {wildcards.archive}"
    shell:
        "python -m transpose download {wildcards.archive:q} --folder {params.folder:q} --table {params.table:q} 2> {log:q}"


# The folder of pictures stays undeclared as well: its manifest, written last, stands for it.
rule unpack:
    input:
        rules.download.output,
    output:
        f"{RESOURCES}/unpacked/{{archive}}.manifest.json",
    log:
        f"{RESULTS}/logs/unpack/{{archive}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/unpack/{{archive}}.tsv"
    retries: 2
    conda:
        "../../environment.yml"
    params:
        archive=subpath(input[0], strip_suffix=".sha256.json"),
        folder=subpath(output[0], strip_suffix=".manifest.json"),
    message:
        "Unpack {wildcards.archive}"
    shell:
        "python -m transpose unpack {params.archive:q} --output {params.folder:q} 2> {log:q}"
