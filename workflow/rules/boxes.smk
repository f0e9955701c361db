rule boxes:
    input:
        dataset=f"{RESULTS}/records/datasets/{{dataset}}.json",
        annotations=PLAN.annotations,
        detections=PLAN.detections,
    output:
        f"{RESULTS}/boxes/{{dataset}}/{{split}}/{{boxes}}.json",
    log:
        f"{RESULTS}/logs/boxes/{{dataset}}/{{split}}/{{boxes}}.log",
    conda:
        "../../environment.yml"
    params:
        code=code_fingerprint(
            "data/box_sources.py",
            "data/boxes.py",
            "data/coco.py",
            "data/simulated_detector.py",
        ),
    message:
        "Person boxes {wildcards.boxes} of {wildcards.dataset} {wildcards.split}"
    shell:
        "python -m transpose boxes --dataset {input.dataset} --split {wildcards.split} --source {wildcards.boxes}"
        " --annotations {input.annotations} --output {output} 2> {log}"
