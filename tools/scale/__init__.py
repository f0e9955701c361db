"""A study on many GPUs, on paper: the jobs of its workflow with forecast times, scheduled on a simulated cluster."""
