"""CPU threads that the jobs of a study ask Snakemake for."""

import math
from dataclasses import dataclass

from transpose.config.study import Analysis
from transpose.study.plan import Plan

SERIAL_SHARE = 0.3
"""Share of a job's time that further threads do not shorten. Measured on two Zen 4 cores: .19 to .46 (R) and .35 to .69
(H) of a training step, .09 to .19 of a forward pass; larger inputs and batches have the smaller ones."""


def shared_threads(cores: int, jobs: int) -> int:
    """Return the threads of each of several equal jobs with which all of them end soonest; the fewest of equally good.

    Args:
        cores: cores for all jobs together.
        jobs: number of jobs, at least 1.
    """

    def seconds(threads: int) -> float:
        rounds = math.ceil(jobs / (cores // threads))
        return rounds * (SERIAL_SHARE + (1 - SERIAL_SHARE) / threads)

    return min(range(1, cores + 1), key=seconds)


@dataclass(frozen=True)
class JobThreads:
    """Threads of the jobs that train or apply a model, where the study does not set them.

    They depend on the study and the cores, and not on which results exist: the same command has the same threads.
    """

    plan: Plan
    cores: int
    """Cores of the machine, or those that a cluster gives a process."""
    are_shared: bool
    """Whether the jobs share the cores; a cluster gives each job its own."""
    on_gpu: bool
    """Whether networks run on a GPU, where the CPU has little to do."""

    def training(self, variant: str) -> int:
        """CPU threads of all processes that train a variant."""
        training = self.plan.recipes[variant].training
        return training.gpus * self.training_process(variant)

    def training_process(self, variant: str) -> int:
        """CPU threads of each process that trains a variant."""
        training = self.plan.recipes[variant].training
        if training.threads is not None:
            return training.threads
        runs = [run for run in self.plan.training.runs() if self._is_trained(run.variant)]
        processes = training.gpus if self.are_shared else 1
        return max(1, self._of_each(len(runs)) // processes)

    def prediction(self) -> int:
        """CPU threads of a prediction of one split."""
        return self._of_network(len(self.plan.evaluation.metrics()))

    def analysis(self, analysis: Analysis) -> int:
        """CPU threads of an analysis of one model on one split."""
        return self._of_network(len(self.plan.evaluation.reports(analysis)))

    def attention_maps(self) -> int:
        """CPU threads of the attention maps of one model on one split."""
        evaluation = self.plan.evaluation
        return self._of_network(sum(len(evaluation.attention_maps_of(run)) for run in self.plan.training.runs()))

    def page(self) -> int:
        """CPU threads of a page with all models on one split: attention viewer and error browser."""
        return self._of_network(len(self.plan.study.evaluated_splits()))

    def _is_trained(self, variant: str) -> bool:
        return self.plan.recipes[variant].training.source == "trained"

    def _of_network(self, jobs: int) -> int:
        return self.plan.study.protocol.threads or self._of_each(jobs)

    def _of_each(self, jobs: int) -> int:
        if self.on_gpu:
            return 1
        return shared_threads(self.cores, jobs) if self.are_shared and jobs else self.cores
