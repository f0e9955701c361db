"""Try the workflow with Snakemake's storage plugins on this machine."""
