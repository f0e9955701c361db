"""Jobs of a study that a forecast counts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product

from transpose.config.study import EvalSetting
from transpose.study.layout import RunId
from transpose.study.plan import Plan


@dataclass(frozen=True)
class Jobs:
    """Trainings, predictions and downloads to count."""

    trainings: frozenset[RunId]
    predictions: frozenset[tuple[RunId, EvalSetting]]
    downloads: frozenset[str]
    """Names of archives to download."""
    unpacked: frozenset[str]
    """Names of archives to unpack."""

    def __bool__(self) -> bool:
        return any((self.trainings, self.predictions, self.downloads, self.unpacked))

    @classmethod
    def of_study(cls, plan: Plan) -> "Jobs":
        """Return all jobs of a study, whether their results exist or not."""
        runs, archives = plan.training.runs(), plan.archives.of_study()
        return cls(
            frozenset(run for run in runs if plan.recipes[run.variant].training.source == "trained"),
            frozenset(product(runs, plan.study.settings())),
            frozenset(archives),
            frozenset(name for name, unpacks in archives.items() if unpacks),
        )

    @classmethod
    def of_rules(cls, plan: Plan, jobs: Iterable[tuple[str, Mapping[str, str]]]) -> "Jobs":
        """Select the counted ones among jobs of the workflow.

        Args:
            jobs: name of the rule and wildcards of each job; other rules are left out, and so are predictions for
                submissions, whose number of boxes is rarely known.
        """
        wildcards: dict[str, list[Mapping[str, str]]] = {}
        for rule, values in jobs:
            wildcards.setdefault(rule, []).append(values)

        def named(rule: str, key: str) -> frozenset[str]:
            return frozenset(values[key] for values in wildcards.get(rule, []))

        predictions = [
            (_run(values), EvalSetting(values["dataset"], values["split"], values["boxes"]))
            for values in wildcards.get("predict", [])
        ]
        return cls(
            frozenset(map(_run, wildcards.get("train", []))),
            frozenset(job for job in predictions if job[1] in plan.study.settings()),
            named("download_archive", "archive"),
            named("unpack", "archive"),
        )

    def variants(self) -> frozenset[str]:
        """Names of variants with a job."""
        return frozenset(run.variant for run in (*self.trainings, *(run for run, _ in self.predictions)))


def _run(wildcards: Mapping[str, str]) -> RunId:
    return RunId(wildcards["variant"], int(wildcards["seed"]))
