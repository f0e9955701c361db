"""`python -m transpose` is the `transpose` command."""

from transpose.cli import main

main()
