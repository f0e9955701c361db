# Parallel jobs that open a fresh SQLite database at once kill each other, so one rule makes it first. The database itself
# stays undeclared: it changes with every log line, and a declared output is deleted before its rule runs again.
rule track_database:
    output:
        f"{RESULTS}/tracking/database.json",
    log:
        f"{RESULTS}/logs/track/database.log",
    conda:
        "../../environment.yml"
    params:
        results=subpath(output[0], ancestor=2),
    message:
        "Create the MLflow database"
    shell:
        "python -m transpose track-database --results {params.results:q} --output {output:q} 2> {log:q}"
