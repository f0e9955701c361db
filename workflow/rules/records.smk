# Resolved configuration as files: a record changes when a value changes, not when a comment does.
rule record:
    output:
        f"{RESULTS}/records/{{kind}}/{{name}}.json",
    log:
        f"{RESULTS}/logs/records/{{kind}}/{{name}}.log",
    conda:
        "../../environment.yml"
    params:
        values=lambda wildcards: PLAN.record(wildcards.kind, wildcards.name),
    message:
        "Resolved configuration of {wildcards.name}"
    shell:
        "python -m transpose record {wildcards.kind:q} {params.values:q} --output {output:q} 2> {log:q}"
