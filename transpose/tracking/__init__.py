"""MLflow tracking: live logging during training, and synchronisation with the results folder afterwards."""

from transpose.tracking.connection import initialise_database
from transpose.tracking.live import LiveLogger
from transpose.tracking.sync_run import track_run
from transpose.tracking.sync_study import track_study

__all__ = ["LiveLogger", "initialise_database", "track_run", "track_study"]
