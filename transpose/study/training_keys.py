"""Whether a training has to run again: its values and input files, compared with its run record."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from transpose.config.load import read_record
from transpose.config.run_record import RunRecord
from transpose.config.training_identity import TrainingIdentity
from transpose.errors import InputError
from transpose.study.content import InputContent
from transpose.study.layout import RunId
from transpose.study.plan import Plan


@dataclass(frozen=True)
class TrainingKeys:
    """Keys of a study's trainings; a training runs again only if its key changes."""

    plan: Plan
    content: InputContent

    def key(self, run: RunId) -> str:
        """Return the key of a training.

        A setting that is added with its default changes nothing, because the key of the run record then stays.
        """
        planned, recorded = self.planned(run), self._recorded(run)
        if recorded is None or recorded.identity is None or planned.differences(recorded.identity):
            return planned.digest
        return recorded.identity_sha256 or planned.digest

    def changes(self, run: RunId) -> list[str] | None:
        """Return each value that has changed since the run record was written; None if there is no run record."""
        recorded = self._recorded(run)
        if recorded is None or recorded.identity is None:
            return None
        return self.planned(run).differences(recorded.identity)

    def planned(self, run: RunId) -> TrainingIdentity:
        """Return what would determine the weights; missing files have their recorded digests."""
        plan, recorded = self.plan, self._recorded(run)
        known = recorded.identity.files if recorded is not None and recorded.identity is not None else {}
        dataset = plan.datasets[plan.study.train.dataset]
        digests = {name: digest or known.get(name) for name, digest in self._input_digests(run).items()}
        return TrainingIdentity(
            recipe=plan.recipes[run.variant],
            seed=int(run.seed),
            files={name: digest for name, digest in digests.items() if digest is not None},
            skeleton=dataset.skeleton,
            evaluation=dataset.evaluation,
            protocol=plan.study.protocol,
        )

    def _input_digests(self, run: RunId) -> dict[str, str | None]:
        plan, content = self.plan, self.content
        train, validation = (
            Path(plan.data.split_annotations(split)) for split in (plan.study.train, plan.study.validation)
        )
        starts = {
            "backbone": plan.training.backbone_weights(run.variant),
            "initial": plan.training.initial_weights(run.variant),
        }
        return {
            "train": content.sha256(train),
            "validation": content.sha256(validation),
            "train_images": content.images_sha256(train),
            "validation_images": content.images_sha256(validation),
            **{name: content.sha256(Path(path)) for name, paths in starts.items() for path in paths},
        }

    def _recorded(self, run: RunId) -> RunRecord | None:
        with suppress(InputError):
            return read_record(RunRecord, self.plan.layout.train(run).record)
        return None
