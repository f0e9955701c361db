# No part of `all`: it tells of the machine and of the code, not of the study.
rule growth:
    output:
        record=f"{RESULTS}/growth.json",
        figure=report(
            f"{RESULTS}/figures/growth.png",
            caption="../report/growth.rst",
            category="Cost",
            labels={"figure": "time and memory as persons grow"},
        ),
    log:
        f"{RESULTS}/logs/growth.log",
    conda:
        "../../environment.yml"
    # A clock needs the machine for itself.
    threads: 64
    params:
        code=code_fingerprint("benchmark", "data", "evaluation"),
    message:
        "Time and memory of loader and evaluator as persons grow"
    shell:
        "python -m transpose cost --part growth --output {output.record:q} --figure {output.figure:q} > {log:q} 2>&1"
