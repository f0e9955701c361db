# A user's own split without the pictures that cannot be read, where its data set says `broken_pictures: skip`.
rule sift:
    input:
        # Its title and boxes do not decide the split.
        dataset=ancient(f"{RESULTS}/records/datasets/{{dataset}}.json"),
        annotations=PLAN.data.unsifted_annotations,
    output:
        f"{RESOURCES}/{{dataset}}/{{split}}/annotations.json",
    log:
        f"{RESULTS}/logs/sift/{{dataset}}/{{split}}.log",
    wildcard_constraints:
        dataset=PLAN.data.names_of_sifted(),
    conda:
        "../../environment.yml"
    threads: 8
    params:
        code=code_fingerprint("data/sift.py", "data/images.py", "data/picture_size.py"),
    message:
        "Leave broken pictures out of split {wildcards.split} of {wildcards.dataset}"
    shell:
        "python -m transpose sift --dataset {input.dataset:q} --annotations {input.annotations:q}"
        " --jobs {threads} --output {output:q} 2> {log:q}"
