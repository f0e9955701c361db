"""Steps of the workflow in forked copies of one process that has imported torch.

A step with a network needs more time to import torch than many of them need for their work. `start_server` starts a
process that imports it once; `python -m transpose step ...` then runs in a copy of that process (`run_in_server`), with
its own arguments, environment and open files. Without a server, or where the server was started for other threads or
another Python, a step runs in its own process.
"""
