"""A real Slurm on this machine, to try the workflow's profile."""
