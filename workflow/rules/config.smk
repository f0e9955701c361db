# Resolved configuration as files, which commands read and which stay beside the results. In the workflow's own process,
# since only Snakemake knows what several configuration files and `--config` add up to.
rule write_config:
    output:
        PLAN.record_files(),
    log:
        LAYOUT.log("write_config"),
    localrule: True
    params:
        values=PLAN.digest_of_all(),
    message:
        "Resolved configuration of the study"
    run:
        PLAN.write_records(LAYOUT)
