"""What the terminal shows of a Snakemake run: its running jobs, the time left, warnings and failures."""
