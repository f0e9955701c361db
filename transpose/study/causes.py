"""Why jobs of a study run again, one line for each cause."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from transpose.config.differences import value_differences
from transpose.errors import InputError
from transpose.files import read_json
from transpose.study.layout import RecordKind, RunId
from transpose.study.plan import Plan
from transpose.study.training_keys import TrainingKeys

_NAMED = re.compile(r"\b[a-z_]+:(?:[0-9a-f]{12,16}\b|absent)")
"""A parameter such as `protocol:1f0c9ab47d52`."""


@dataclass(frozen=True)
class PlannedJob:
    """A job that Snakemake runs again, and what Snakemake knows of the cause."""

    rule: str
    wildcards: Mapping[str, str]
    old_params: Collection[str]
    """Recorded values of changed parameters, as text."""
    new_params: Collection[str]
    """Present values of changed parameters, as text."""
    new_files: Collection[str]
    """Input files that are newer than the outputs and have other content."""
    is_forced: bool


def render_causes(jobs: Iterable[PlannedJob], plan: Plan, keys: TrainingKeys) -> str:
    """Return a line for each rule and cause; empty if no job runs again."""
    lines = Counter(f"{_name(job)}: {cause}" for job in jobs for cause in _causes(job, plan, keys))
    if not lines:
        return ""
    shown = [line if count == 1 else f"{line} ({count} jobs)" for line, count in lines.items()]
    return "\n".join(["Runs again, with all that depends on it:", *(f"  {line}" for line in shown)])


def _name(job: PlannedJob) -> str:
    if job.rule == "train":
        return f"train {RunId(job.wildcards['variant'], job.wildcards['seed'])}"
    return job.rule


def _causes(job: PlannedJob, plan: Plan, keys: TrainingKeys) -> Iterator[str]:
    if job.is_forced:
        yield "forced"
    changed = _digests(job.old_params) ^ _digests(job.new_params)
    for name in sorted({text.partition(":")[0] for text in changed}):
        yield _cause(name, job, plan, keys)
    if (job.old_params or job.new_params) and not changed:
        yield "a parameter of its command has changed"
    for file in sorted(job.new_files):
        yield f"{file} is new"


def _digests(params: Iterable[str]) -> set[str]:
    return {digest for value in params for digest in _NAMED.findall(value)}


def _cause(name: str, job: PlannedJob, plan: Plan, keys: TrainingKeys) -> str:
    if name == "training":
        run = RunId(job.wildcards["variant"], int(job.wildcards["seed"]))
        return "; ".join(keys.changes(run) or ["it has no run record"])
    if name == "code":
        return "its code has changed"
    kind = next((kind for kind in RecordKind if kind.name.lower() == name), None)
    if kind is None:
        return f"its {name} have other content" if name.endswith("s") else f"its {name} has other content"
    return "; ".join(_changed_values(kind, plan)) or f"its {name} has changed"


def _changed_values(kind: RecordKind, plan: Plan) -> Iterator[str]:
    """Yield each value of a configuration block that differs from the results' record of it."""
    for name, now in plan.record_values(kind).items():
        with suppress(InputError):
            before = read_json(plan.layout.record(kind, name))
            subject = kind.name.lower() if name == "study" else f"{kind.name.lower()} {name}"
            yield from (f"{subject}.{text}" for text in value_differences(before, now))
