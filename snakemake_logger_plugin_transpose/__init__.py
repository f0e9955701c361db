"""The logger plugin `transpose` of profiles/default. Snakemake finds plugins by the names of packages."""

from transpose.terminal.handler import LogHandler

__all__ = ["LogHandler"]
