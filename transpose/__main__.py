"""Run the `transpose` command with `python -m transpose`."""

import os
import sys

from transpose.step_server.client import run_in_server
from transpose.step_server.messages import ADDRESS

if sys.argv[1:2] == ["step"] and ADDRESS in os.environ:
    run_in_server(os.environ[ADDRESS], sys.argv[1:])

# A step that a server runs does not need it.
from transpose.cli import main

main()
