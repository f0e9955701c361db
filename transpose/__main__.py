"""Run the `transpose` command with `python -m transpose`."""

from transpose.cli import main

main()
