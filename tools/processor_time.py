"""Print processor seconds by rule of a study's last run: `python -m tools.processor_time results`.

Read from the last lines of the logs. A job that did not run again keeps what it took when it ran; a run of Snakemake
that had nothing to do replaces the row `snakemake`, its own process without the jobs.
"""

import argparse
from pathlib import Path

from transpose.job_usage import JobUsage, usages_by_rule

_TRAINING = "train"


def render_table(usages: dict[str, list[JobUsage]]) -> str:
    """Return a Markdown table with a row for each rule, the most processor time first, and the sums."""
    rows = sorted(usages.items(), key=lambda item: -_processor(item[1]))
    other = [usage for rule, found in rows if rule != _TRAINING for usage in found]
    every = [usage for _, found in rows for usage in found]
    lines = ["| rule | jobs | CPU seconds | of one job | seconds | MB |", "| --- | --- | --- | --- | --- | --- |"]
    named = [*rows, ("all but training", other), ("all", every)]
    return "\n".join([*lines, *(_row(rule, found) for rule, found in named if found)])


def _row(rule: str, found: list[JobUsage]) -> str:
    seconds, processor = sum(usage.seconds for usage in found), _processor(found)
    memory = max(usage.megabytes for usage in found)
    return f"| {rule} | {len(found)} | {processor:.1f} | {processor / len(found):.1f} | {seconds:.1f} | {memory:.0f} |"


def _processor(found: list[JobUsage]) -> float:
    return sum(usage.processor_seconds for usage in found)


def main() -> None:
    """Print the table of a results folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, nargs="?", default=Path("results"), help="Results folder of a study.")
    print(render_table(usages_by_rule(parser.parse_args().results / "logs")))


if __name__ == "__main__":
    main()
