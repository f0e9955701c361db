"""The MLflow store and the experiment that a study is logged to."""

import os
from dataclasses import dataclass
from pathlib import Path

from transpose.config.load import read_record
from transpose.config.study import Study
from transpose.config.tracking import TrackingSettings
from transpose.errors import without_logins
from transpose.study.layout import RecordKind, ResultsLayout
from transpose.study.rules import digest_of


@dataclass(frozen=True)
class TrackingDestination:
    """A study in an experiment of an MLflow store.

    Attributes:
        study: name of the study.
        experiment: name of the experiment, which may contain several studies.
        store: tracking URI, which may contain a password; None for the database in the results folder.
    """

    study: str
    experiment: str
    store: str | None = None

    @classmethod
    def chosen(cls, study: str, settings: TrackingSettings) -> "TrackingDestination":
        """Return the destination by the environment variable MLFLOW_TRACKING_URI and the settings of a study."""
        return cls(study, settings.experiment or study, os.environ.get("MLFLOW_TRACKING_URI") or settings.uri)

    @classmethod
    def of_results(cls, layout: ResultsLayout) -> "TrackingDestination":
        """Return the destination of a results folder.

        Raises:
            InputError: a record is missing or wrong.
        """
        study = read_record(Study, layout.record(RecordKind.STUDY))
        return cls.chosen(study.name, read_record(TrackingSettings, layout.record(RecordKind.TRACKING)))

    def uri(self, results: Path) -> str:
        """Return the tracking URI."""
        return self.store or database_uri(results)

    def digest(self) -> str:
        """Return a text that changes with the destination, for rules; it depends on no password."""
        return f"tracking:{digest_of([self.experiment, self.store and without_logins(self.store)])}"


def database_uri(results: Path) -> str:
    """Return the URI of the database in a results folder."""
    return f"sqlite:///{results.resolve()}/mlflow.db"
